"""Training steps of denoisers in front of a frozen ResNet-20 in PyTorch, for comparison.

Speaks the protocol of torch_step.py: for every line "ARCH OBJECTIVE" on standard input it takes one training step
(noise, labels by the classifier, forward, backward, AdamW) and prints the seconds on the clock and of processor time.
Eager mode, float32, images of 3×32×32.

    python torch_denoiser.py [--batch 64] [--threads 1]

BenchmarkStep of package train/denoiser drives it (UCAN_TORCH=python).
"""

import argparse
import sys
import time

import torch
from torch import nn
import torch.nn.functional as F

from torch_step import resnet20


def conv(a, b, k=3, stride=1):
    return nn.Sequential(nn.Conv2d(a, b, k, stride, k // 2, bias=False), nn.BatchNorm2d(b))


def chain(a, b, width, depth):
    layers = [nn.Conv2d(a, width, 3, padding=1), nn.ReLU()]
    for _ in range(depth - 2):
        layers += [conv(width, width), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(width, b, 3, padding=1))


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.a, self.b = conv(width, width), conv(width, width)

    def forward(self, x):
        return F.relu(x + self.b(F.relu(self.a(x))))


class UNet(nn.Module):
    def __init__(self, channels, width=32):
        super().__init__()
        w = width
        self.enter, self.down1 = conv(4 * channels, w), Block(w)
        self.halve1, self.down2 = conv(w, 2 * w, 3, 2), Block(2 * w)
        self.halve2, self.bottom = conv(2 * w, 4 * w, 3, 2), nn.Sequential(Block(4 * w), Block(4 * w))
        self.double2, self.up2 = conv(4 * w, 8 * w, 1), Block(2 * w)
        self.double1, self.up1 = conv(2 * w, 4 * w, 1), Block(w)
        self.leave = nn.Conv2d(w, 4 * channels, 3, padding=1)

    def forward(self, x):
        top = self.down1(F.relu(self.enter(F.pixel_unshuffle(x, 2))))
        middle = self.down2(F.relu(self.halve1(top)))
        low = self.bottom(F.relu(self.halve2(middle)))
        middle = self.up2(F.relu(middle + F.pixel_shuffle(self.double2(low), 2)))
        top = self.up1(F.relu(top + F.pixel_shuffle(self.double1(middle), 2)))
        return F.pixel_shuffle(self.leave(top), 2)


def net(arch):
    if arch == "dncnn":
        return chain(3, 3, 32, 6)
    if arch == "ffdnet":
        return nn.Sequential(nn.PixelUnshuffle(2), chain(12, 12, 64, 6), nn.PixelShuffle(2))
    return UNet(3)


class Step:
    def __init__(self, arch, objective, batch):
        torch.manual_seed(0)
        self.net, self.f, self.objective = net(arch).train(), resnet20().eval(), objective
        for p in self.f.parameters():
            p.requires_grad_(False)
        self.opt = torch.optim.AdamW(self.net.parameters(), 1e-5)
        self.x = torch.rand(batch, 3, 32, 32)

    def __call__(self):
        begin, work = time.perf_counter(), time.process_time()
        noisy = self.x + 0.25 * torch.randn_like(self.x)
        self.opt.zero_grad(set_to_none=True)
        clean = noisy + self.net(noisy)
        if self.objective == "mse":
            loss = F.mse_loss(clean, self.x)
        else:
            with torch.no_grad():
                labels = self.f(self.x).argmax(1)
            loss = F.cross_entropy(self.f(clean), labels)
        loss.backward()
        self.opt.step()
        return time.perf_counter() - begin, time.process_time() - work


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--threads", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    steps = {}
    print("ready", torch.__version__, flush=True)
    for line in sys.stdin:
        name = line.strip()
        if name not in steps:
            steps[name] = Step(*name.split(), a.batch)
        print(*steps[name](), flush=True)


if __name__ == "__main__":
    main()
