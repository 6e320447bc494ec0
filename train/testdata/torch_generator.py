"""The training step of noise parameter generators in PyTorch: reference values, and time beside ucan's.

  UCAN_STEP_DIR=DIR go test ./train/generator -run TestWriteSteps
  python train/testdata/torch_generator.py values DIR > train/generator/testdata/torch_steps.json

  go test -c -o /tmp/steps.test ./train/generator
  python train/testdata/torch_generator.py cost /tmp/steps.test MODEL.onnx [ROUNDS] [THREADS]

"values" reads weights, images, noise and labels that the test wrote and computes loss and gradients in float64.
"cost" times whole steps at batch 128, one draw: noise, forward, backward, Adam. PyTorch runs eagerly; ucan runs in a
child process that takes a step whenever it is told to, so the two alternate. Needs numpy, onnx and torch.
"""

import json
import math
import resource
import statistics
import subprocess
import sys
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper


# ---- the generators, as the paper's authors write them, with ucan's head ----

def dense(w, name, x):
    """The dense-block network without its last activation."""
    conv = lambda x, layer: F.conv2d(x, w[f"{name}.{layer}.weight"], w[f"{name}.{layer}.bias"], padding=1)
    maps = conv(x, "first")
    for i in range(1, 5):
        maps = torch.cat([maps, F.leaky_relu(conv(maps, f"block{i}"), 0.2)], 1)
    return conv(conv(maps, "join"), "last")


def perceptron(w, name, shape):
    h = torch.ones(1, 1, dtype=w[f"{name}.last.weight"].dtype)
    for i in range(1, 5):
        h = F.leaky_relu(h @ w[f"{name}.hidden{i}.weight"] + w[f"{name}.hidden{i}.bias"], 0.2)
    return (h @ w[f"{name}.last.weight"] + w[f"{name}.last.bias"]).reshape(1, *shape)


def log_scale(z, c):
    low, high = math.log(c["floor"]), math.log(c["ceiling"])
    return low + (high - low) * (1 + torch.tanh(z)) / 2


def held(z, c):
    """z + t with the mean of s (or of log s) at the start: t by bisection, its gradient by the implicit function theorem."""
    axes = tuple(range(1, z.dim()))
    mean = (lambda u: u.mean(axes, keepdim=True)) if c["hold"] == "logmean" else (lambda u: u.exp().mean(axes, keepdim=True).log())
    goal = math.log(c["start"])
    with torch.no_grad():
        a, b = torch.full_like(mean(z), -20.0), torch.full_like(mean(z), 20.0)
        for _ in range(100):
            t = (a + b) / 2
            above = mean(log_scale(z + t, c)) > goal
            b, a = torch.where(above, t, b), torch.where(above, a, t)
        e = 1e-6
        slope = (mean(log_scale(z + t + e, c)) - mean(log_scale(z + t - e, c))) / (2 * e)
    return z + t + (goal - mean(log_scale(z + t, c))) / slope


def head(z, c):
    if c["hold"] != "none":
        z = held(z, c)
    return log_scale(z, c).exp()


def pattern(w, c):
    _, height, width = c["shape"]
    if c["basis"] == "dct":
        u, v = torch.meshgrid(torch.arange(height).double(), torch.arange(width).double(), indexing="ij")
        r = torch.sqrt(u * u + v * v) / math.hypot(height - 1, width - 1)
        power = torch.where(r > 0, r.clamp(min=1e-300), torch.ones_like(r)) ** w["pattern.log_gamma"].exp()
        power = torch.where(r > 0, power, torch.zeros_like(r))
        s = w["pattern.log_iota"].exp() * (1 + (w["pattern.log_kappa"].exp() - 1) * power)
    else:
        a = torch.linspace(-1, 1, height).double()[:, None]
        b = torch.linspace(-1, 1, width).double()[None]
        s = w["pattern.log_kappa"].exp() * (a * a + b * b) + w["pattern.log_iota"].exp()
    return s.clamp(c["floor"], c["ceiling"]).expand(1, *c["shape"])


def generate(w, c, x):
    """mu (or 0) and s for images x."""
    if c["kind"] == "pattern":
        return 0.0, pattern(w, c)
    if c["kind"] == "dataset":
        mu = c["mu_scale"] * torch.tanh(perceptron(w, "mu", c["shape"])) if c["mu_scale"] else 0.0
        return mu, head(perceptron(w, "sigma", c["shape"]), c)
    mu = c["mu_scale"] * torch.tanh(dense(w, "mu", x)) if c["mu_scale"] else 0.0
    return mu, head(dense(w, "sigma", x + mu), c)


def cosine(n):
    k, i = np.meshgrid(np.arange(n), np.arange(n), indexing="ij")
    a = np.sqrt(2 / n) * np.cos(np.pi * (i + 0.5) * k / n)
    a[0] /= np.sqrt(2)
    return torch.from_numpy(a)


def loss_of(c, f, w, x, noise, labels):
    """The step's loss; noise is [N, m, ...]."""
    n, m = noise.shape[:2]
    mu, s = generate(w, c, x)
    s = s.expand(x.shape)
    e = s[:, None] * noise
    if c["basis"] == "dct":
        a, b = cosine(c["shape"][1]).to(x), cosine(c["shape"][2]).to(x)
        e = a.t() @ e @ b
    copies = (x + mu)[:, None] + e
    logp = F.log_softmax(f(copies.reshape(-1, *c["shape"])), 1).reshape(n, m, -1)
    each = -logp.gather(2, labels[:, None, None].expand(n, m, 1)).mean((1, 2))
    total = (1 - c["smoothing"]) * each.mean() - c["smoothing"] * logp.mean()
    flat = s.reshape(n, -1)
    v = c["volume"]
    if v["min"]:
        total = total - v["min"] * flat.min(1).values.mean()
    if v["mean"]:
        total = total - v["mean"] * flat.mean()
    if v["logmean"]:
        total = total - v["logmean"] * flat.log().mean()
    if v["area"]:
        q = -torch.log(torch.expm1(each.clamp(min=1e-4))) / 1.702
        total = total - v["area"] * (flat.log().mean(1).exp() * q.clamp(min=0)).mean()
    if c["reg"]:
        total = total + c["reg"] * flat.square().mean(1).sqrt().mean()
    if c["consistency"]:
        mean = logp.exp().mean(1, keepdim=True)
        total = total + c["consistency"] * (mean * (mean.log() - logp)).sum(2).mean()
    return total


class Graph:
    """A classifier's ONNX graph, executed node by node; names of weights get a prefix."""

    def __init__(self, path, dtype):
        self.graph = onnx.load(path).graph
        self.weights = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in self.graph.initializer}
        for k, t in self.weights.items():
            if t.is_floating_point():
                self.weights[k] = t.to(dtype)

    def __call__(self, x):
        v = dict(self.weights)
        v[self.graph.input[0].name] = x
        for n in self.graph.node:
            a = [v[i] for i in n.input]
            at = {p.name: onnx.helper.get_attribute_value(p) for p in n.attribute}
            op = n.op_type
            if op == "Conv":
                y = F.conv2d(a[0], a[1], a[2] if len(a) > 2 else None, stride=at.get("strides", [1, 1]), padding=at.get("pads", [0, 0])[:2])
            elif op in ("Relu", "Tanh", "Softplus"):
                y = {"Relu": F.relu, "Tanh": torch.tanh, "Softplus": F.softplus}[op](a[0])
            elif op in ("Add", "Sub", "Mul", "Div"):
                y = {"Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Div": torch.div}[op](a[0], a[1])
            elif op == "MaxPool":
                y = F.max_pool2d(a[0], at["kernel_shape"], at["strides"])
            elif op == "GlobalAveragePool":
                y = a[0].mean((2, 3), keepdim=True)
            elif op == "Flatten":
                y = a[0].flatten(1)
            elif op == "Gemm":
                y = F.linear(a[0], a[1] if at.get("transB") else a[1].t(), a[2] if len(a) > 2 else None)
            elif op == "Identity":
                y = a[0]
            else:
                raise SystemExit("no PyTorch form of " + op)
            v[n.output[0]] = y
        return v[self.graph.output[0].name]


# ---- reference values ----

def values(folder):
    out = {}
    for name, case in json.load(open(f"{folder}/cases.json")).items():
        c = case["config"]
        f = Graph(f"{folder}/{name}.onnx", torch.float64)
        tensor = lambda v, shape: torch.tensor(np.array(v, dtype=np.float32), dtype=torch.float64).reshape(shape)
        w = {k: tensor(v["values"], v["shape"]).requires_grad_(True) for k, v in case["weights"].items() if not k.startswith("f.")}
        for k in case["weights"]:
            if k.startswith("f."):
                w[k] = f.weights[k[2:]].requires_grad_(True)
        x = tensor(case["images"], (case["rows"], *c["shape"]))
        noise = tensor(case["noise"], (case["rows"], case["draws"], *c["shape"]))
        loss = loss_of(c, f, w, x, noise, torch.tensor(case["labels"]))
        loss.backward()
        grads = {}
        for k, t in w.items():
            g = t.grad.reshape(-1).numpy()
            at = np.unique(np.linspace(0, g.size - 1, 12).astype(int))
            grads[k] = {"norm": float(np.linalg.norm(g)), "at": at.tolist(), "values": g[at].tolist()}
        out[name] = {"loss": loss.item(), "gradients": grads}
    json.dump(out, sys.stdout, indent=1)


# ---- time ----

class Child:
    """ucan's steps in a process of its own."""

    def __init__(self, binary, model, kind, threads):
        env = {"UCAN_STEP_MODEL": model, "UCAN_STEP_KIND": kind, "UCAN_STEP_THREADS": str(threads)}
        import os
        self.p = subprocess.Popen([binary, "-test.run", "TestServeSteps", "-test.v"], env={**os.environ, **env},
                                  stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.answer()

    def answer(self):
        for line in self.p.stdout:
            if line.startswith("step "):
                return [float(v) for v in line.split()[1:]]
        raise SystemExit("the child died")

    def step(self):
        self.p.stdin.write("step\n")
        self.p.stdin.flush()
        return self.answer()

    def close(self):
        self.p.stdin.close()
        self.p.wait()


def torch_step(model, kind, shape, batch):
    f = Graph(model, torch.float32)
    c = {"kind": kind.split("-")[0], "basis": "pixel", "shape": shape, "floor": 0.05, "ceiling": 1.0, "hold": "none", "start": 0.25,
         "mu_scale": 0.0 if kind.endswith("-fixed") else 0.25, "smoothing": 0, "reg": 0, "consistency": 0,
         "volume": {"min": 0, "mean": 0, "logmean": 0.5, "area": 0}}
    w = {}
    names = ["sigma"] + (["mu"] if c["mu_scale"] else [])
    for name in names:
        if c["kind"] == "dataset":
            widths = [1, 128, 256, 512, 1024, int(np.prod(shape))]
            layers = [f"hidden{i}" for i in range(1, 5)] + ["last"]
            for layer, a, b in zip(layers, widths, widths[1:]):
                w[f"{name}.{layer}.weight"], w[f"{name}.{layer}.bias"] = torch.randn(a, b) / math.sqrt(a), torch.zeros(b)
        else:
            convs = [("first", shape[0], 16)] + [(f"block{i}", 16 * i, 16) for i in range(1, 5)] + [("join", 80, 16), ("last", 16, shape[0])]
            for layer, a, b in convs:
                w[f"{name}.{layer}.weight"], w[f"{name}.{layer}.bias"] = torch.randn(b, a, 3, 3) / math.sqrt(9 * a), torch.zeros(b)
    for t in w.values():
        t.requires_grad_(True)
    adam = torch.optim.AdamW(w.values(), lr=1e-3, weight_decay=0)
    x, labels = torch.rand(batch, *shape), torch.randint(0, 10, (batch,))

    def step():
        start, cpu = time.perf_counter(), time.process_time()
        adam.zero_grad()
        loss_of(c, f, w, x, torch.randn(batch, 1, *shape), labels).backward()
        adam.step()
        return time.perf_counter() - start, time.process_time() - cpu

    return step


def cost(binary, model, rounds, threads):
    torch.set_num_threads(threads)
    batch = 128
    dims = [d.dim_value for d in onnx.load(model).graph.input[0].type.tensor_type.shape.dim][1:]
    for kind in ["dataset", "certification", "certification-fixed"]:
        run, child = torch_step(model, kind, dims, batch), Child(binary, model, kind, threads)
        ours, theirs = [], []
        run(), child.step()
        for _ in range(rounds):
            theirs.append(run())
            ours.append(child.step())
        child.close()
        line = f"{kind:20s}"
        for i, what in enumerate(["wall", "cpu"]):
            a, b = (statistics.median(v[i] for v in t) / batch * 1e6 for t in (ours, theirs))
            ratio = statistics.median(o[i] / t[i] for o, t in zip(ours, theirs))
            line += f"   {what}: ucan {a:7.0f} us/sample, PyTorch {b:7.0f}, ratio {ratio:.2f}"
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(line + f"   peak memory: ucan {ours[-1][2]:.0f} MiB, PyTorch process so far {peak:.0f} MiB", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["values"] and len(sys.argv) == 3:
        values(sys.argv[2])
    elif sys.argv[1:2] == ["cost"] and len(sys.argv) >= 4:
        cost(sys.argv[2], sys.argv[3], int((sys.argv + ["9"] * 5)[4] if len(sys.argv) > 4 else 9), int(sys.argv[5]) if len(sys.argv) > 5 else 2)
    else:
        raise SystemExit(__doc__)
