#!/usr/bin/env python3
"""Writes what PyTorch makes of the encoders. Needs torch, torchvision, pillow, numpy, safetensors.

  python3 make_encoder_goldens.py                    encoders.safetensors: every family, with weights and images by formula
  python3 make_encoder_goldens.py WEIGHTS IMAGES     encoders_trained.safetensors: six weight files (a folder of
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
    if len(shape) in (2, 4):
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
             for n, t in net.state_dict().items()  # but not the linear classifiers: nothing here runs them
             if t.dim() != 2 or n.startswith('features.')}
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


def dilated_convnext(net):
    """The last stride traded: 2x2 windows on every cell, filled up below and to the right; then dilated depthwise ones."""
    downsample = net.features[6][1]
    downsample.stride = (1, 1)
    net.features[6].insert(1, torch.nn.ZeroPad2d((0, 1, 0, 1)))
    for block in net.features[7]:
        block.block[0].dilation, block.block[0].padding = (2, 2), (6, 6)
    return net


class SameConv2d(torch.nn.Conv2d):
    """Pads as TensorFlow does: as few rows as ceil(size / stride) outputs take, the odd one below."""
    def forward(self, x):
        padding = []
        for size, kernel, stride in zip(x.shape[:1:-1], self.kernel_size[::-1], self.stride[::-1]):
            rows = max(0, (-(-size // stride) - 1) * stride + kernel - size)
            padding += [rows // 2, rows - rows // 2]
        return super().forward(torch.nn.functional.pad(x, padding))


class LiteBlock(torch.nn.Module):
    def __init__(self, inputs, outputs, kernel, stride, expansion):
        super().__init__()
        norm = lambda n: torch.nn.BatchNorm2d(n, eps=1e-3, momentum=0.01)
        hidden = inputs * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = torch.nn.Conv2d(inputs, hidden, 1, bias=False), norm(hidden)
        self._depthwise_conv = SameConv2d(hidden, hidden, kernel, stride, groups=hidden, bias=False)
        self._bn1 = norm(hidden)
        self._project_conv, self._bn2 = torch.nn.Conv2d(hidden, outputs, 1, bias=False), norm(outputs)
        self.shortcut = stride == 1 and inputs == outputs

    def forward(self, x):
        y = torch.nn.functional.relu6(self._bn0(self._expand_conv(x))) if hasattr(self, '_expand_conv') else x
        y = torch.nn.functional.relu6(self._bn1(self._depthwise_conv(y)))
        y = self._bn2(self._project_conv(y))
        return x + y if self.shortcut else y


class EfficientNetLite(torch.nn.Module):
    """EfficientNet-Lite with the names of the package efficientnet_lite_pytorch. `depth` has the blocks of each group."""
    def __init__(self, widths, depth):
        super().__init__()
        kernels, strides = (3, 3, 5, 3, 5, 5, 3), (1, 2, 2, 2, 1, 2, 1)
        self._conv_stem = SameConv2d(3, 32, 3, 2, bias=False)
        self._bn0 = torch.nn.BatchNorm2d(32, eps=1e-3, momentum=0.01)
        blocks, inputs = [], 32
        for group, (width, count) in enumerate(zip(widths, depth)):
            for i in range(count):
                blocks.append(LiteBlock(inputs, width, kernels[group], strides[group] if i == 0 else 1, 6 if group else 1))
                inputs = width
        self._blocks = torch.nn.ModuleList(blocks)
        self._conv_head = torch.nn.Conv2d(inputs, 1280, 1, bias=False)
        self._bn1 = torch.nn.BatchNorm2d(1280, eps=1e-3, momentum=0.01)
        self.features = torch.nn.Identity()
        self._fc = torch.nn.Linear(1280, 1000)

    def forward(self, x):
        x = torch.nn.functional.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = self.features(torch.nn.functional.relu6(self._bn1(self._conv_head(x))))
        return self._fc(x.mean((2, 3)))


LITE = {'efficientnet_lite0': ((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
        'efficientnet_lite1': ((16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1)),
        'efficientnet_lite2': ((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
        'efficientnet_lite3': ((24, 32, 48, 96, 136, 232, 384), (1, 3, 3, 5, 5, 6, 1)),
        'efficientnet_lite4': ((24, 32, 56, 112, 160, 272, 448), (1, 4, 4, 6, 6, 8, 1))}


def build(name):
    return EfficientNetLite(*LITE[name]) if name in LITE else getattr(torchvision.models, name)(weights=None)


def slice_of(features):
    """(N,C,H,W) -> at most PER_SLICE numbers, evenly spread, of the features as (N,L,C)."""
    flat = features.permute(0, 2, 3, 1).reshape(-1)
    step = max(1, flat.numel() // PER_SLICE)
    return flat[::step][:PER_SLICE].contiguous()


def structure(net):
    """Number of tensors without the classifier, and a checksum over their names and shapes."""
    lines = sorted(f'{n} {",".join(map(str, t.shape))}' for n, t in net.state_dict().items()
                   if not n.endswith('num_batches_tracked') and not n.startswith(('fc.', '_fc.', 'classifier.')))
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
    efficientnet, convnext = make('efficientnet_b0'), make('convnext_tiny')
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
        'efficientnet_b0 features.8 0': tapped(efficientnet, 'features.8'),
        'efficientnet_b0 features.3 0': tapped(efficientnet, 'features.3'),
        'efficientnet_b5 features.4 0': tapped(make('efficientnet_b5'), 'features.4'),
        'efficientnet_lite0 _conv_head 0': tapped(with_formula_weights(build('efficientnet_lite0')), 'features'),
        'efficientnet_lite2 _blocks.7 0': tapped(with_formula_weights(build('efficientnet_lite2')), '_blocks.7'),
        'convnext_tiny features.7 0': tapped(convnext, 'features.7'),
        'convnext_tiny features.0 0': tapped(convnext, 'features.0'),
        'convnext_tiny features.7 4': tapped(dilated_convnext(make('convnext_tiny')), 'features.7'),
    }
    names = ['resnet18', 'resnet34', 'resnet50', 'resnet101', 'resnet152', 'vgg16', 'vgg19', 'densenet121', 'densenet161', 'densenet169',
             'densenet201', 'mobilenet_v2', 'squeezenet1_0', 'squeezenet1_1',
             *(f'efficientnet_b{i}' for i in range(8)), *LITE, *(f'convnext_{n}' for n in ('tiny', 'small', 'base', 'large'))]
    metadata = {'structure': json.dumps({n: structure(build(n)) for n in names}), 'size': str(SIZE),
                'torch': torch.__version__, 'torchvision': torchvision.__version__}
    save_file({name: slice_of(run(images)) for name, run in runs.items()}, os.path.join(HERE, 'encoders.safetensors'), metadata)


def trained_goldens(weight_folder, image_folder):
    files = sorted(n for n in os.listdir(image_folder) if re.search(r'\.jpe?g$', n))[:8]
    pixels = np.stack([np.asarray(Image.open(os.path.join(image_folder, n)).convert('RGB')) for n in files])
    bytes_of = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
    images = bytes_of / 255
    images = (images - torch.tensor([.485, .456, .406]).view(1, 3, 1, 1)) / torch.tensor([.229, .224, .225]).view(1, 3, 1, 1)

    def make(name, file):
        net = build(name)
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
    lite = make('efficientnet_lite2', 'efficientnet_lite2')
    lite_images = (bytes_of - 127) / 128
    run_lite = tapped(lite, 'features')
    runs['efficientnet_lite2 _conv_head'] = lambda _: run_lite(lite_images)
    tensors = {name: torch.stack([slice_of(features[i:i + 1]) for i in range(len(files))])
               for name, features in ((name, run(images)) for name, run in runs.items())}
    with torch.no_grad():
        tensors['squeezenet1_1 class'] = squeezenet(images).argmax(1).int()
        tensors['efficientnet_lite2 class'] = lite(lite_images).argmax(1).int()
    metadata = {'images': json.dumps(files), 'torch': torch.__version__, 'torchvision': torchvision.__version__}
    save_file(tensors, os.path.join(HERE, 'encoders_trained.safetensors'), metadata)


if __name__ == '__main__':
    torch.manual_seed(1)
    if len(sys.argv) == 3:
        trained_goldens(sys.argv[1], sys.argv[2])
    else:
        formula_goldens()
