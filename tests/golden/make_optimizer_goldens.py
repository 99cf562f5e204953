"""Twenty steps of each optimizer by PyTorch, in f32 and f64, into optimizers.safetensors.

Needs: pip install numpy torch safetensors. Run from anywhere; writes beside itself. Two parameters follow the same twenty
gradients in each run; the learning rate is halved after ten steps. CONFIG.f32.a is parameter a after twenty steps.
"""
from pathlib import Path

import torch
from safetensors.torch import save_file

torch.manual_seed(7)
steps = 20
# One gradient is far larger than the others, so that clipping by norm both acts and does not act.
scale = torch.ones(steps, dtype=torch.float64)
scale[5] = 30
start = {"a": torch.randn(3, 4, dtype=torch.float64), "b": torch.randn(5, dtype=torch.float64)}
gradients = {
    name: torch.randn(steps, *p.shape, dtype=torch.float64) * scale.view(-1, *[1] * p.dim()) for name, p in start.items()
}
# Both precisions start from numbers that f32 holds exactly.
start = {name: p.float().double() for name, p in start.items()}
gradients = {name: g.float().double() for name, g in gradients.items()}

configs = {
    "sgd": (torch.optim.SGD, dict(lr=0.1), None),
    "sgd_momentum": (torch.optim.SGD, dict(lr=0.1, momentum=0.9, weight_decay=0.01), None),
    "rmsprop": (torch.optim.RMSprop, dict(lr=0.01), None),
    "rmsprop_momentum": (torch.optim.RMSprop, dict(lr=0.01, alpha=0.9, eps=1e-6, momentum=0.8, weight_decay=0.02), None),
    "adam": (torch.optim.Adam, dict(lr=0.01), None),
    "adam_decay": (torch.optim.Adam, dict(lr=0.02, betas=(0.8, 0.99), eps=1e-5, weight_decay=0.1), None),
    "adamw": (torch.optim.AdamW, dict(lr=0.02, weight_decay=0.1), None),
    "adam_clip_norm": (torch.optim.Adam, dict(lr=0.01), ("norm", 5.0)),
    "sgd_clip_norm": (torch.optim.SGD, dict(lr=0.1), ("norm", 5.0)),
    "sgd_clip_value": (torch.optim.SGD, dict(lr=0.1), ("value", 0.7)),
}


def run(kind, options, clip, dtype):
    parameters = {name: p.to(dtype).clone().requires_grad_() for name, p in start.items()}
    optimizer = kind(parameters.values(), foreach=False, **options)
    for step in range(steps):
        if step == steps // 2:
            optimizer.param_groups[0]["lr"] /= 2
        for name, p in parameters.items():
            p.grad = gradients[name][step].to(dtype).clone()
        if clip and clip[0] == "norm":
            torch.nn.utils.clip_grad_norm_(parameters.values(), clip[1])
        elif clip:
            torch.nn.utils.clip_grad_value_(parameters.values(), clip[1])
        optimizer.step()
    return {name: p.detach() for name, p in parameters.items()}


out = {f"start.{name}": p for name, p in start.items()} | {f"gradients.{name}": g for name, g in gradients.items()}
for config, (kind, options, clip) in configs.items():
    for dtype, label in ((torch.float32, "f32"), (torch.float64, "f64")):
        for name, p in run(kind, options, clip, dtype).items():
            out[f"{config}.{label}.{name}"] = p
path = Path(__file__).parent / "optimizers.safetensors"
save_file(out, path)
path.chmod(0o644)
