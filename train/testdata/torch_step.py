"""Training steps of the built-in base classifiers in PyTorch, for comparison.

Speaks a small protocol, so that steps can be interleaved with those of another
program on the same machine: for every line "NAME" on standard input it takes one
training step of that network (noise, forward, backward, optimiser) and prints the
seconds that it took. Batch 128, two threads, eager mode, float32.

    python torch_step.py [--batch 128] [--threads 2]

BenchmarkStep of package train/base drives it (UCAN_TORCH=python).
With --memory NAME it takes ten steps and prints the peak resident memory in MiB.
"""

import argparse
import resource
import sys
import time

import torch
from torch import nn
import torch.nn.functional as F


class Block(nn.Module):
    def __init__(self, cin, cout, stride):
        super().__init__()
        self.c1 = nn.Conv2d(cin, cout, 3, stride, 1, bias=False)
        self.b1 = nn.BatchNorm2d(cout)
        self.c2 = nn.Conv2d(cout, cout, 3, 1, 1, bias=False)
        self.b2 = nn.BatchNorm2d(cout)
        self.down = None
        if stride != 1 or cin != cout:
            self.down = nn.Sequential(nn.Conv2d(cin, cout, 1, stride, bias=False), nn.BatchNorm2d(cout))

    def forward(self, x):
        y = F.relu(self.b1(self.c1(x)))
        y = self.b2(self.c2(y))
        return F.relu(y + (x if self.down is None else self.down(x)))


def resnet20():
    layers = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()]
    cin = 16
    for stage, cout in enumerate((16, 32, 64)):
        for block in range(3):
            layers.append(Block(cin, cout, 2 if stage > 0 and block == 0 else 1))
            cin = cout
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10)]
    return nn.Sequential(*layers)


def mnist_cnn():
    def conv(a, b):
        return [nn.Conv2d(a, b, 3, padding=1), nn.ReLU()]

    return nn.Sequential(
        *conv(1, 32), *conv(32, 32), nn.MaxPool2d(2), *conv(32, 64), *conv(64, 64), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 256), nn.ReLU(), nn.Linear(256, 10))


class Step:
    def __init__(self, name, batch):
        torch.manual_seed(0)
        shape = (3, 32, 32) if name == "resnet20" else (1, 28, 28)
        self.net = resnet20() if name == "resnet20" else mnist_cnn()
        self.net.train()
        if name == "resnet20":
            self.opt = torch.optim.SGD(self.net.parameters(), 1e-3, momentum=0.9, nesterov=True, weight_decay=5e-4)
        else:
            self.opt = torch.optim.AdamW(self.net.parameters(), 1e-5)
        self.x = torch.rand(batch, *shape)
        self.y = torch.randint(0, 10, (batch,))

    def __call__(self):
        begin, work = time.perf_counter(), time.process_time()
        noisy = self.x + 0.25 * torch.randn_like(self.x)
        self.opt.zero_grad(set_to_none=True)
        F.cross_entropy(self.net(noisy), self.y).backward()
        self.opt.step()
        return time.perf_counter() - begin, time.process_time() - work


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--batch", type=int, default=128)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--memory")
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    if a.memory:
        step = Step(a.memory, a.batch)
        for _ in range(10):
            step()
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
        return
    steps = {}
    print("ready", torch.__version__, flush=True)
    for line in sys.stdin:
        name = line.strip()
        if name not in steps:
            steps[name] = Step(name, a.batch)
        print(*steps[name](), flush=True)


if __name__ == "__main__":
    main()
