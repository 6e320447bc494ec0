"""Makes torch_optim.json: weights after steps of PyTorch's optimisers, and learning rates of its schedules.

    python torch_optim.py > torch_optim.json     (PyTorch 2.x, CPU)
"""

import json

import torch

W0 = [0.5, -1.25, 2.0, 0.125, -0.75]
GRADS = [[0.1 * (i + 1) * (-1) ** (i + t) + 0.03 * t for i in range(5)] for t in range(6)]


def run(make, rates):
    w = torch.nn.Parameter(torch.tensor(W0))
    opt = make([w])
    out = []
    for g, r in zip(GRADS, rates):
        for group in opt.param_groups:
            group["lr"] = r
        w.grad = torch.tensor(g)
        opt.step()
        out.append(w.detach().tolist())
    return out


def schedule(make, steps):
    w = torch.nn.Parameter(torch.zeros(1))
    opt = torch.optim.SGD([w], lr=0.1)
    s = make(opt)
    out = []
    for _ in range(steps):
        out.append(opt.param_groups[0]["lr"])
        opt.step()
        s.step()
    return out


rates = [0.1, 0.08, 0.06, 0.04, 0.02, 0.01]
S = torch.optim.lr_scheduler
print(json.dumps({
    "torch": torch.__version__, "start": W0, "gradients": GRADS, "rates": rates,
    "sgd": run(lambda p: torch.optim.SGD(p, lr=1), rates),
    "sgd_momentum": run(lambda p: torch.optim.SGD(p, lr=1, momentum=0.9), rates),
    "sgd_momentum_decay": run(lambda p: torch.optim.SGD(p, lr=1, momentum=0.9, weight_decay=0.05), rates),
    "sgd_nesterov_decay": run(lambda p: torch.optim.SGD(p, lr=1, momentum=0.9, nesterov=True, weight_decay=0.05), rates),
    "sgd_decay": run(lambda p: torch.optim.SGD(p, lr=1, weight_decay=0.05), rates),
    "adamw": run(lambda p: torch.optim.AdamW(p, lr=1, weight_decay=0.1), rates),
    "adamw_plain": run(lambda p: torch.optim.AdamW(p, lr=1, weight_decay=0, betas=(0.8, 0.95)), rates),
    "onecycle": schedule(lambda o: S.OneCycleLR(o, max_lr=0.1, total_steps=20, cycle_momentum=False), 20),
    "cosine": schedule(lambda o: S.CosineAnnealingLR(o, T_max=20), 20),
    "step": schedule(lambda o: S.MultiStepLR(o, [10, 15]), 20),
}, indent=1))
