"""Losses and gradients of the objectives of `train base` in PyTorch, for comparison.

    python torch_objective.py > ../base/testdata/torch_objective.json

A small network with random weights sees two images with three noisy copies each. For every
objective the file holds the loss and its gradients by the weights; for SmoothAdv, whose images are
first moved by projected gradient ascent, with isotropic noise and with a field of scales.
"""

import json

import torch
import torch.nn.functional as F

ROWS, DRAWS, DIM, HIDDEN, CLASSES = 2, 3, 6, 5, 4
torch.manual_seed(3)
f64 = torch.float64
weights = {
    "w1": torch.randn(DIM, HIDDEN, dtype=f64) * 0.7, "b1": torch.randn(HIDDEN, dtype=f64) * 0.3,
    "w2": torch.randn(HIDDEN, CLASSES, dtype=f64) * 0.9, "b2": torch.randn(CLASSES, dtype=f64) * 0.3,
}
weights = {k: v.float().double() for k, v in weights.items()}
noisy = (torch.rand(ROWS, 1, DIM, dtype=f64) + 0.4 * torch.randn(ROWS, DRAWS, DIM, dtype=f64)).float().double()
labels = torch.tensor([1, 3])
scale = (0.5 + torch.rand(DIM, dtype=f64)).float().double()


def dct(n):
    # The orthonormal DCT-II: row u holds the values of frequency u.
    u, x = torch.arange(n, dtype=f64)[:, None], torch.arange(n, dtype=f64)[None]
    return torch.cos(torch.pi * (x + 0.5) * u / n) * torch.where(u == 0, (1 / n) ** 0.5, (2 / n) ** 0.5)


# The basis of an image of 2 x 3 values: its coefficients are frequencies @ values.
frequencies = torch.kron(dct(2), dct(3))
pixels = torch.eye(DIM, dtype=f64)


def logits(x, w):
    return torch.tanh(x @ w["w1"] + w["b1"]) @ w["w2"] + w["b2"]


def cross_entropy(x, w):
    return F.cross_entropy(logits(x, w).reshape(-1, CLASSES), labels.repeat_interleave(DRAWS))


def consistency(x, w, weight, entropy):
    # Jeong and Shin 2020, their published code: KL from the mean prediction, and its entropy.
    logp = F.log_softmax(logits(x, w), -1)
    mean = logp.exp().mean(1)
    divergence = sum(F.kl_div(logp[:, j], mean, reduction="none").sum(-1) for j in range(DRAWS)) / DRAWS
    h = -(mean * mean.log()).sum(-1)
    return cross_entropy(x, w) + weight * (divergence + entropy * h).mean()


def moved(x, w, radius, steps, s, basis):
    # Salman et al. 2019, SmoothAdv by PGD, in the coordinates of the ball.
    u = torch.zeros(ROWS, 1, DIM, dtype=f64)
    for _ in range(steps):
        u.requires_grad_(True)
        p = logits(x + (u * s) @ basis, w).softmax(-1).mean(1)
        loss = -p[torch.arange(ROWS), labels].log().sum()
        (g,) = torch.autograd.grad(loss, u)
        u = u.detach() + 2 * radius / steps * g / g.norm(dim=-1, keepdim=True)
        u = u * (radius / u.norm(dim=-1, keepdim=True)).clamp(max=1)
    return x + (u * s) @ basis


objectives = {}


def record(name, loss, **config):
    w = {k: v.clone().requires_grad_(True) for k, v in weights.items()}
    value = loss(w)
    grads = torch.autograd.grad(value, list(w.values()))
    objectives[name] = {"loss": value.item(), "config": config, "gradients": {k: g.flatten().tolist() for k, g in zip(w, grads)}}


record("gaussian", lambda w: cross_entropy(noisy, w))
record("consistency", lambda w: consistency(noisy, w, 10, 0.5), consistency=10, entropy=0.5)
one = torch.ones(DIM, dtype=f64)
for name, s, field, basis in (
    ("smoothadv", one, None, pixels), ("smoothadv under a field", scale, scale.tolist(), pixels),
    ("smoothadv in frequencies", scale, scale.tolist(), frequencies),
):
    x = moved(noisy, weights, 0.6, 2, s, basis).detach()
    record(name, lambda w, x=x: cross_entropy(x, w), radius=0.6, steps=2, scale=field, frequencies=basis is frequencies)
    record(name + ", consistency", lambda w, x=x: consistency(x, w, 5, 0.5), radius=0.6, steps=2, scale=field, frequencies=basis is frequencies, consistency=5, entropy=0.5)

print(json.dumps({
    "rows": ROWS, "draws": DRAWS, "noisy": noisy.flatten().tolist(), "labels": labels.tolist(),
    "weights": {k: v.flatten().tolist() for k, v in weights.items()}, "objectives": objectives,
}))
