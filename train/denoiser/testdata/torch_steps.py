"""Training steps of denoisers in PyTorch, in float64: the values that TestTorch reads.

  python train/denoiser/testdata/torch_steps.py > train/denoiser/testdata/torch_steps.json

Needs torch. Weights, inputs and labels are made by formulas that the test has too. The networks are
written here from their descriptions, not taken from the graphs that Go makes.
"""

import json
import math

import torch
import torch.nn.functional as F

ROWS, DRAWS, CLASSES = 3, 2, 4
SIGNAL = [0.25, 0.5, 0.75]
MEAN = [0.4, 0.5, 0.6]
SPREAD = [0.5, 0.75, 1.0]


def pseudo(name, count):
    """Numbers between −1/2 and 1/2 that depend on the name."""
    k = sum(name.encode())
    i = torch.arange(count, dtype=torch.int64)
    return ((i + k) * 7919 + 13) % 1009 / 1009.0 - 0.5


class Weights(dict):
    """Weights that are made when they are asked for, float32 numbers in float64."""

    def get(self, name, *shape, offset=0.0, scale=None):
        if name not in self:
            n = math.prod(shape)
            fan = math.prod(shape[1:]) if len(shape) > 1 else 16
            v = pseudo(name, n).float() * torch.tensor(2 / math.sqrt(fan), dtype=torch.float32) + offset
            self[name] = v.double().reshape(shape).requires_grad_(True)
        return self[name]


def conv(w, x, name, out, kernel):
    p = (kernel[0] // 2, kernel[1] // 2)
    return F.conv2d(x, w.get(name + ".weight", out, x.shape[1], *kernel), w.get(name + ".bias", out), padding=p)


def conv_norm(w, x, name, out, kernel, stride=1):
    p = (kernel[0] // 2, kernel[1] // 2)
    y = F.conv2d(x, w.get(name + ".weight", out, x.shape[1], *kernel), stride=stride, padding=p)
    return F.batch_norm(y, None, None, w.get(name + ".norm.scale", out, offset=1.0), w.get(name + ".norm.shift", out), training=True)


def chain(w, x, width, depth, out, kernel):
    x = F.relu(conv(w, x, "conv1", width, kernel))
    for i in range(2, depth):
        x = F.relu(conv_norm(w, x, f"conv{i}", width, kernel))
    return conv(w, x, f"conv{depth}", out, kernel)


def fold(x, multiple):
    """Pads below and to the right, and makes channels of blocks: block by block, all channels of one place together."""
    n, c, h, v = x.shape
    up = lambda k: -(-k // multiple) * multiple
    x = F.pad(x, (0, up(v) - v, 0, up(h) - h))
    n, c, h, v = x.shape
    return x.reshape(n, c, h // 2, 2, v // 2, 2).permute(0, 3, 5, 1, 2, 4).reshape(n, 4 * c, h // 2, v // 2)


def unfold(x):
    n, c, h, v = x.shape
    return x.reshape(n, 2, 2, c // 4, h, v).permute(0, 3, 4, 1, 5, 2).reshape(n, c // 4, 2 * h, 2 * v)


def unet(w, x, width, depth, out):
    three, one = (3, 3), (1, 1)

    def blocks(x, name, width, n):
        for i in range(1, n + 1):
            at = f"{name}.block{i}"
            y = F.relu(conv_norm(w, x, at + ".conv1", width, three))
            x = F.relu(x + conv_norm(w, y, at + ".conv2", width, three))
        return x

    top = blocks(F.relu(conv_norm(w, x, "in", width, three)), "down1", width, depth)
    middle = blocks(F.relu(conv_norm(w, top, "halve1", 2 * width, three, 2)), "down2", 2 * width, depth)
    low = blocks(F.relu(conv_norm(w, middle, "halve2", 4 * width, three, 2)), "bottom", 4 * width, 2 * depth)
    middle = blocks(F.relu(middle + unfold(conv_norm(w, low, "double2", 8 * width, one))), "up2", 2 * width, depth)
    top = blocks(F.relu(top + unfold(conv_norm(w, middle, "double1", 4 * width, one))), "up1", width, depth)
    return conv(w, top, "out", 4 * out, three)


def net(w, case, x):
    shape, width, depth = case["shape"], case["width"], case["depth"]
    match case["arch"]:
        case "dncnn":
            return chain(w, x, width, depth, shape[0], (3, 3))
        case "ffdnet":
            y = unfold(chain(w, fold(x, 2), width, depth, 4 * shape[0], (3, 3)))
            return y[:, :, : shape[1], : shape[2]]
        case "unet":
            return unfold(unet(w, fold(x, 8), width, depth, shape[0]))[:, :, : shape[1], : shape[2]]
        case "conv1d":
            return chain(w, x.unsqueeze(2), width, depth, shape[0], (1, 7)).squeeze(2)
        case "mlp":
            for i in range(1, depth):
                x = F.relu(F.linear(x, w.get(f"dense{i}.weight", width, x.shape[1]), w.get(f"dense{i}.bias", width)))
            return F.linear(x, w.get(f"dense{depth}.weight", shape[0], x.shape[1]), w.get(f"dense{depth}.bias", shape[0]))


def denoise(w, case, y):
    shape = case["shape"]
    c = shape[0]
    by = lambda v: torch.tensor(v[:c], dtype=torch.float32).double().reshape(1, c, *[1] * (len(shape) - 1))
    first = 0.5 * y + 0.125
    parts = [(y - by(MEAN)) / by(SPREAD), (first - by(MEAN)) / by(SIGNAL)]
    if case.get("map"):
        field = (torch.arange(math.prod(shape), dtype=torch.float64) % 5 + 1).reshape(1, *shape)
        parts.append((field / field.square().mean().sqrt()).float().double().expand_as(y))
    if case.get("estimate"):
        mask = torch.tensor([[1.0, -2, 1], [-2, 4, -2], [1, -2, 1]], dtype=torch.float64).expand(c, 1, 3, 3)
        rest = F.conv2d(parts[0], mask, groups=c).abs().mean((1, 2, 3), keepdim=True) * math.sqrt(math.pi / 2) / 6
        parts.append(rest.expand(-1, 1, *y.shape[2:]))
    return first + by(SIGNAL) * net(w, case, torch.cat(parts, 1))


def classify(k, x):
    """A classifier with a normalisation by stored statistics, and a sum of three terms."""
    fixed = lambda name, *shape: (pseudo(f"{k}.{name}", math.prod(shape)).float()).double().reshape(shape)
    z = x.flatten(1)
    d = z.shape[1]
    z = F.linear(z, fixed("dense1", 8, d))
    z = F.batch_norm(z, fixed("mean", 8), fixed("variance", 8) + 1, fixed("scale", 8) + 1, fixed("shift", 8), eps=1e-5)
    z = z + F.relu(z) + fixed("more", 8)
    return F.linear(z, fixed("dense2", CLASSES, 8))


def step(case):
    w, shape = Weights(), case["shape"]
    d = math.prod(shape)
    x = pseudo("clean", ROWS * d).float().double().reshape(ROWS, *shape) + 0.5
    noise = pseudo("noise", ROWS * DRAWS * d).float().double().reshape(ROWS, DRAWS, *shape)
    y = (x.unsqueeze(1).float() + noise.float()).double().reshape(ROWS * DRAWS, *shape)
    out = denoise(w, case, y)
    if case["objective"] == "mse":
        by = torch.tensor(SIGNAL[: shape[0]], dtype=torch.float64).reshape(1, shape[0], *[1] * (len(shape) - 1))
        loss = ((out - x.repeat_interleave(DRAWS, 0)) / by).square().mean()
    else:
        labels = (torch.arange(ROWS) * 3 % CLASSES).repeat_interleave(DRAWS)
        loss = sum(F.cross_entropy(classify(k, out), labels) for k in range(case["classifiers"])) / case["classifiers"]
    loss.backward()
    gradients = {}
    for name, v in w.items():
        g = v.grad.flatten()
        i = torch.arange(len(g), dtype=torch.float64)
        gradients[name] = [float(f"{float(s):.9g}") for s in (g.norm(), (g * torch.cos(i)).sum(), (g * (i * 31 % 17 - 8) / 8).sum())]
    return {"loss": float(f"{loss.item():.9g}"), "gradients": gradients}


NETS = [
    {"arch": "dncnn", "shape": [3, 6, 5], "width": 8, "depth": 4, "map": True},
    {"arch": "ffdnet", "shape": [3, 7, 6], "width": 8, "depth": 4, "estimate": True},
    {"arch": "unet", "shape": [1, 10, 12], "width": 4, "depth": 1},
    {"arch": "conv1d", "shape": [2, 16], "width": 6, "depth": 3},
    {"arch": "mlp", "shape": [3], "width": 7, "depth": 3, "map": True},
]


def main():
    cases = []
    for net in NETS:
        for objective, classifiers in (("mse", 0), ("classification", 1), ("stability", 2)):
            case = net | {"objective": objective, "classifiers": classifiers}
            cases.append(case | step(case))
    print(json.dumps(cases, indent=1))


if __name__ == "__main__":
    main()
