"""Compares one training step of the built-in networks with PyTorch.

  UCAN_GRAPHS=DIR go test ./models/arch -run TestWriteGraphs
  python torch_step.py DIR values > torch_step.json   # the values TestTorch reads
  python torch_step.py DIR time [ROUNDS] [THREADS] [wall|cpu]

Needs onnx, onnxruntime, numpy and torch. "values" runs PyTorch alone, on the
weights of the graph that Go has written. "time" runs a step (loss and
gradients of all weights, batch 128) of onnxruntime, weights as inputs, and of
eager PyTorch in turns, and prints medians; "cpu" counts processor time, which
other load on the machine disturbs less: use it with one thread.
"""

import json
import statistics
import sys
import time

import numpy as np
import onnx
import torch
import torch.nn.functional as F
from onnx import numpy_helper

SHAPES = {"mnist-cnn": (1, 28, 28), "resnet20": (3, 32, 32)}


class Params(dict):
    """Weights by the names that Go gave them."""

    def __init__(self, path):
        self.graph = onnx.load(path).graph
        for t in self.graph.initializer:
            if t.name.endswith((".weight", ".bias", ".scale", ".shift")):
                self[t.name] = torch.from_numpy(numpy_helper.to_array(t).copy())

    def perturb(self):
        for name, p in self.items():
            if p.dim() == 1:
                i = torch.arange(len(p), dtype=torch.float64)
                p += 0.1 * torch.sin(i + 1).float()
                if name.endswith(".norm.shift"):
                    p += torch.where(i % 3 == 2, -4.0, 4.0).float()

    def train(self):
        for p in self.values():
            p.requires_grad_(True)
            p.grad = None
        return self


def mnist_cnn(p, x):
    conv = lambda x, n: F.relu(F.conv2d(x, p[n + ".weight"], p[n + ".bias"], padding=1))
    y = F.max_pool2d(conv(conv(x, "conv1"), "conv2"), 2)
    y = F.max_pool2d(conv(conv(y, "conv3"), "conv4"), 2).flatten(1)
    y = F.relu(F.linear(y, p["dense1.weight"], p["dense1.bias"]))
    return F.linear(y, p["dense2.weight"], p["dense2.bias"])


def resnet20(p, x):
    def conv(x, n, stride=1):
        w = p[n + ".weight"]
        y = F.conv2d(x, w, stride=stride, padding=w.shape[2] // 2)
        return F.batch_norm(y, None, None, p[n + ".norm.scale"], p[n + ".norm.shift"], training=True)

    y = F.relu(conv(x, "conv"))
    for stage in (1, 2, 3):
        for block in (1, 2, 3):
            n = f"stage{stage}.block{block}"
            stride = 2 if stage > 1 and block == 1 else 1
            skip = conv(y, n + ".shortcut", stride) if stride == 2 else y
            y = F.relu(conv(F.relu(conv(y, n + ".conv1", stride)), n + ".conv2") + skip)
    return F.linear(y.mean((2, 3)), p["dense.weight"], p["dense.bias"])


NETS = {"mnist-cnn": mnist_cnn, "resnet20": resnet20}


def batch(shape, n):
    size = n * int(np.prod(shape))
    x = ((np.arange(size, dtype=np.int64) * 7919 + 13) % 1009).astype(np.float32) / np.float32(1009)
    return torch.from_numpy(x.reshape(n, *shape)), torch.from_numpy(np.arange(n, dtype=np.int64) * 3 % 10)


def values(folder):
    out = {}
    for name, shape in SHAPES.items():
        p = Params(f"{folder}/{name}.onnx")
        p.perturb()
        p.train()
        x, labels = batch(shape, 8)
        x.requires_grad_(True)
        # In float64, so that what TestTorch sees is its own rounding.
        d = {k: v.detach().double().requires_grad_(True) for k, v in p.items()}
        xd = x.detach().double().requires_grad_(True)
        loss = F.cross_entropy(NETS[name](d, xd), labels)
        loss.backward()
        d["images"] = xd
        grads = {}
        for k, v in d.items():
            g = v.grad.flatten()
            i = torch.arange(len(g), dtype=torch.float64)
            grads[k] = [float(f"{float(s):.9g}") for s in (g.norm(), (g * torch.cos(i)).sum(), (g * (i * 31 % 17 - 8) / 8).sum())]
        out[name] = {"loss": loss.item(), "gradients": grads}
    print(json.dumps(out, indent=1))


def compare(folder, rounds, threads, clock):
    import onnxruntime as ort

    torch.set_num_threads(threads)
    for name, shape in SHAPES.items():
        p = Params(f"{folder}/{name}.onnx")
        x, labels = batch(shape, 128)
        o = ort.SessionOptions()
        o.intra_op_num_threads = threads
        o.log_severity_level = 3
        s = ort.InferenceSession(f"{folder}/{name}.inputs.onnx", o, providers=["CPUExecutionProvider"])
        feeds = {"images": x.numpy(), "labels": labels.numpy()} | {k: v.numpy().copy() for k, v in p.items()}
        wanted = [v.name for v in s.get_outputs() if v.name == "loss" or v.name.endswith(".grad")]
        p.train()

        def torch_step():
            p.train()
            F.cross_entropy(NETS[name](p, x), labels).backward()

        todo = {"onnxruntime": lambda: s.run(wanted, feeds), "torch": torch_step}
        times = {k: [] for k in todo}
        for r in range(rounds + 1):
            for k, run in todo.items():
                start = clock()
                run()
                if r:
                    times[k].append(clock() - start)
        med = {k: statistics.median(v) for k, v in times.items()}
        ratio = med["onnxruntime"] / med["torch"]
        print(name, ", ".join(f"{k} {v / 128 * 1e6:.0f} µs a sample" for k, v in med.items()), f"ratio {ratio:.2f}")


def main():
    folder, what = sys.argv[1:3]
    if what == "values":
        return values(folder)
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 9
    threads = int(sys.argv[4]) if len(sys.argv) > 4 else 2
    clock = time.process_time if len(sys.argv) > 5 and sys.argv[5] == "cpu" else time.perf_counter
    compare(folder, rounds, threads, clock)


if __name__ == "__main__":
    main()
