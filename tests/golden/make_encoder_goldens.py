#!/usr/bin/env python3
"""Writes what PyTorch makes of the encoders. Needs torch, torchvision, pillow, numpy, safetensors.

  python3 make_encoder_goldens.py                    encoders.safetensors: every family, with weights and images by formula
  python3 make_encoder_goldens.py WEIGHTS IMAGES     encoders_trained.safetensors: five weight files (a folder of
                                                     safetensors) on the first eight photographs of a folder

Both hold thin slices of the features; the test repeats the formulas below in C++.
"""
import json
import os
import re
import sys

import numpy as np
import torch
import torchvision
from PIL import Image
from safetensors.torch import load_file, save_file

HERE = os.path.dirname(os.path.abspath(__file__))
SIZE = 70  # odd grids on the way: 35, 18, 9, 5, 3
PER_SLICE = 200


def numbers(name, count):
    """`count` numbers in [0,1) that depend on the name: a hash (FNV-1a) of the name, mixed with the position."""
    salt = 2166136261
    for byte in name.encode():
        salt = (salt ^ byte) * 16777619 % 2**32
    x = np.arange(count, dtype=np.uint32) * np.uint32(2654435761) + np.uint32(salt)
    for shift, factor in ((16, 2246822519), (13, 3266489917)):
        x ^= x >> np.uint32(shift)
        x *= np.uint32(factor)
    x ^= x >> np.uint32(16)
    return (x >> np.uint32(8)).astype(np.float64) / 2**24


def weights(name, shape):
    u = numbers(name, int(np.prod(shape)))
    if len(shape) == 4:
        u = (2 * u - 1) * np.sqrt(6 * shape[0] / u.size)
    elif name.endswith('running_var'):
        u = 0.5 + u
    elif name.endswith('running_mean') or name.endswith('bias'):
        u = 0.4 * u - 0.2
    else:
        u = 0.5 + 0.5 * u
    return torch.from_numpy(u.astype(np.float32).reshape(shape))


def with_formula_weights(net):
    state = {n: t if n.endswith('num_batches_tracked') else weights(n, tuple(t.shape))
             for n, t in net.state_dict().items() if t.dim() != 2}  # not the linear classifiers: nothing here runs them
    net.load_state_dict(state, strict=False)
    return net.eval()


def tapped(net, module, relu=False):
    """A function from images to the output of a named module."""
    def run(images):
        kept = []
        handle = dict(net.named_modules())[module].register_forward_hook(lambda m, i, o: kept.append(o.clone()))
        with torch.no_grad():
            net(images)
        handle.remove()
        return torch.relu(kept[0]) if relu else kept[0]
    return run


def stride_in_1x1(net):
    for layer in (net.layer2, net.layer3, net.layer4):
        layer[0].conv1.stride, layer[0].conv2.stride = layer[0].conv2.stride, layer[0].conv1.stride
    return net


def dilated_mobilenet(net):
    for i in (14, 15, 16, 17):
        depthwise = net.features[i].conv[1][0]
        if i == 14:
            depthwise.stride = (1, 1)
        else:
            depthwise.dilation = depthwise.padding = (2, 2)
    return net


def dilated_densenet(net):
    del net.features.transition3.pool
    for name, module in net.features.denseblock4.named_modules():
        if name.endswith('conv2'):
            module.dilation = module.padding = (2, 2)
    return net


def slice_of(features):
    """(N,C,H,W) -> at most PER_SLICE numbers, evenly spread, of the features as (N,L,C)."""
    flat = features.permute(0, 2, 3, 1).reshape(-1)
    step = max(1, flat.numel() // PER_SLICE)
    return flat[::step][:PER_SLICE].contiguous()


def structure(net):
    """Number of tensors without the classifier, and a checksum over their names and shapes."""
    lines = sorted(f'{n} {",".join(map(str, t.shape))}' for n, t in net.state_dict().items()
                   if not n.endswith('num_batches_tracked') and not n.startswith(('fc.', 'classifier.')))
    checksum = 2166136261
    for byte in '\n'.join(lines).encode():
        checksum = (checksum ^ byte) * 16777619 % 2**32
    return [len(lines), checksum]


def formula_goldens():
    models = torchvision.models
    make = lambda name, **options: with_formula_weights(getattr(models, name)(weights=None, **options))
    images = torch.from_numpy(4 * numbers('images', 2 * 3 * SIZE * SIZE) - 2).float().reshape(2, 3, SIZE, SIZE)
    resnet18, vgg16, densenet121 = make('resnet18'), make('vgg16'), make('densenet121')
    mobilenet, squeezenet = make('mobilenet_v2'), make('squeezenet1_1')
    runs = {
        'resnet18 layer4 0': tapped(resnet18, 'layer4'),
        'resnet18 layer2 0': tapped(resnet18, 'layer2'),
        'resnet18 stem 0': tapped(resnet18, 'maxpool'),
        'resnet50 layer4 0': tapped(make('resnet50'), 'layer4'),
        'resnet50 layer4 5': tapped(make('resnet50', replace_stride_with_dilation=[False, False, True]), 'layer4'),
        'resnet50 layer4 9': tapped(make('resnet50', replace_stride_with_dilation=[False, True, True]), 'layer4'),
        'resnet50-v1 layer4 0': tapped(stride_in_1x1(make('resnet50')), 'layer4'),
        'vgg16 block5 0': tapped(vgg16, 'features.29'),
        'vgg16 pool5 0': tapped(vgg16, 'features.30'),
        'densenet121 norm5 0': tapped(densenet121, 'features.norm5', relu=True),
        'densenet121 denseblock2 0': tapped(densenet121, 'features.denseblock2'),
        'densenet121 transition2 0': tapped(densenet121, 'features.transition2'),
        'densenet121 norm5 4': tapped(dilated_densenet(make('densenet121')), 'features.norm5', relu=True),
        'mobilenet_v2 features.18 0': tapped(mobilenet, 'features.18'),
        'mobilenet_v2 features.10 0': tapped(mobilenet, 'features.10'),
        'mobilenet_v2 features.18 5': tapped(dilated_mobilenet(make('mobilenet_v2')), 'features.18'),
        'squeezenet1_0 features.12 0': tapped(make('squeezenet1_0'), 'features.12'),
        'squeezenet1_1 features.12 0': tapped(squeezenet, 'features.12'),
        'squeezenet1_1 features.7 0': tapped(squeezenet, 'features.7'),
        'squeezenet1_1 classifier 0': tapped(squeezenet, 'classifier'),
    }
    names = ['resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152', 'vgg16', 'vgg19', 'densenet121', 'densenet161', 'densenet169',
             'densenet201', 'mobilenet_v2', 'squeezenet1_0', 'squeezenet1_1']
    metadata = {'structure': json.dumps({n: structure(getattr(models, n)(weights=None)) for n in names}), 'size': str(SIZE),
                'torch': torch.__version__, 'torchvision': torchvision.__version__}
    save_file({name: slice_of(run(images)) for name, run in runs.items()}, os.path.join(HERE, 'encoders.safetensors'), metadata)


def trained_goldens(weight_folder, image_folder):
    files = sorted(n for n in os.listdir(image_folder) if re.search(r'\.jpe?g$', n))[:8]
    pixels = np.stack([np.asarray(Image.open(os.path.join(image_folder, n)).convert('RGB')) for n in files])
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    images = (images - torch.tensor([.485, .456, .406]).view(1, 3, 1, 1)) / torch.tensor([.229, .224, .225]).view(1, 3, 1, 1)

    def make(name, file):
        net = getattr(torchvision.models, name)(weights=None)
        state = {n: t.float() for n, t in load_file(os.path.join(weight_folder, file + '.safetensors')).items()}
        missing, unexpected = net.load_state_dict(state, strict=False)
        assert not unexpected, unexpected
        assert all(n.startswith(('layer4', 'fc', 'classifier')) or n.endswith('num_batches_tracked') for n in missing), missing
        return net.eval()

    squeezenet = make('squeezenet1_1', 'squeezenet1_1')
    runs = {
        'densenet169 norm5': tapped(make('densenet169', 'densenet169'), 'features.norm5', relu=True),
        'mobilenet_v2 features.18': tapped(make('mobilenet_v2', 'mobilenet_v2'), 'features.18'),
        'squeezenet1_1 features.12': tapped(squeezenet, 'features.12'),
        'resnet18_layer3 layer3': tapped(make('resnet18', 'resnet18_layer3'), 'layer3'),
        'resnet50_v1_layer3 layer3': tapped(stride_in_1x1(make('resnet50', 'resnet50_v1_layer3')), 'layer3'),
    }
    tensors = {name: torch.stack([slice_of(features[i:i + 1]) for i in range(len(files))])
               for name, features in ((name, run(images)) for name, run in runs.items())}
    with torch.no_grad():
        tensors['squeezenet1_1 class'] = squeezenet(images).argmax(1).int()
    metadata = {'images': json.dumps(files), 'torch': torch.__version__, 'torchvision': torchvision.__version__}
    save_file(tensors, os.path.join(HERE, 'encoders_trained.safetensors'), metadata)


if __name__ == '__main__':
    torch.manual_seed(1)
    if len(sys.argv) == 3:
        trained_goldens(sys.argv[1], sys.argv[2])
    else:
        formula_goldens()
