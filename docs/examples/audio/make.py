"""Trains a classifier on windows of sound and exports it for ucan.

    pip install torch onnx onnxscript
    python docs/examples/audio/make.py --out audio-tour

writes into the folder
    sounds.onnx   the classifier: windows of 1,024 samples, [N,1,1024] in [-1,1]
    windows.npy   180 windows that it has not seen, as 16-bit samples, int16 [N,1,1024]
    labels.npy    their labels, int64 [N]

The sounds are made here, 1,024 samples at 8 kHz each: hum, whistle, siren, bell,
rattle and engine, of random pitch, loudness and phase over a faint background.
Two minutes on one core.
"""
import argparse
import pathlib
import sys

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from export_pytorch import strip_metadata

RATE, WINDOW = 8000, 1024
SIGMA = 0.25  # largest noise while training, on the scale [-1,1]
NAMES = ["hum", "whistle", "siren", "bell", "rattle", "engine"]


def sound(name, rng):
    """Returns one window of a sound, float32 in [-1,1]."""
    t = np.arange(WINDOW) / RATE
    phase = 2 * np.pi * rng.random()
    pitch = rng.uniform(0.8, 1.25)
    if name == "hum":  # mains and its overtones
        wave = sum(np.sin(2 * np.pi * 55 * pitch * k * t + phase * k) / k for k in (1, 2, 3, 5))
    elif name == "whistle":  # one high, steady tone
        wave = np.sin(2 * np.pi * 1800 * pitch * t + phase)
    elif name == "siren":  # a tone that rises or falls
        slope = rng.choice([-1, 1]) * rng.uniform(3000, 6000)
        wave = np.sin(2 * np.pi * (900 * pitch * t + slope * t * t / 2) + phase)
    elif name == "bell":  # inharmonic partials that die away after a stroke
        start = rng.uniform(0, 0.03)
        decay = np.exp(-40 * np.maximum(t - start, 0)) * (t >= start)
        wave = 1.5 * decay * sum(np.sin(2 * np.pi * 600 * pitch * k * t + phase) for k in (1, 2.76, 5.4))
    elif name == "rattle":  # short bursts of noise
        gate = (np.sin(2 * np.pi * 45 * pitch * t + phase) > 0.6)
        wave = 1.5 * gate * rng.standard_normal(WINDOW)
    else:  # engine: a saw-tooth with a slow beat
        saw = 2 * ((110 * pitch * t + phase) % 1) - 1
        wave = saw * (1 + 0.5 * np.sin(2 * np.pi * 17 * t))
    wave = wave * rng.uniform(0.15, 0.4) + 0.01 * rng.standard_normal(WINDOW)
    return np.clip(wave, -1, 1).astype(np.float32)


def windows(count, seed):
    """Returns count windows as 16-bit samples, [count,1,WINDOW], and their labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(NAMES)
    x = np.stack([sound(NAMES[label], rng) for label in labels])
    return np.round(x[:, None] * 32767).astype(np.int16), labels


class Sounds(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(1, 16, 32, stride=8), nn.BatchNorm1d(16), nn.ReLU(),
            nn.Conv1d(16, 24, 8, stride=4), nn.BatchNorm1d(24), nn.ReLU(),
            nn.Conv1d(24, 32, 4, stride=2), nn.ReLU())
        self.head = nn.Linear(64, len(NAMES))

    def forward(self, x):
        z = self.body(x)
        return self.head(torch.cat([z.mean(2), z.amax(2)], 1))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=25)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    torch.set_num_threads(1)
    torch.manual_seed(0)
    samples, labels = windows(1800, seed=1)
    x, y = torch.tensor(samples / 32768, dtype=torch.float32), torch.tensor(labels)
    net = Sounds()
    optimiser = torch.optim.AdamW(net.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, args.epochs)
    for _ in range(args.epochs):
        for batch in torch.randperm(len(y)).split(60):
            level = SIGMA * torch.rand(len(batch), 1, 1).sqrt()  # from clean windows to noisy ones
            loss = F.cross_entropy(net(x[batch] + level * torch.randn_like(x[batch])), y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()

    net.eval()
    samples, labels = windows(180, seed=2)
    test = torch.tensor(samples / 32768, dtype=torch.float32)
    with torch.no_grad():
        right = (net(test).argmax(1).numpy() == labels).sum()
        noisy = (net(test + SIGMA * torch.randn_like(test)).argmax(1).numpy() == labels).sum()
    print(f"held out: {right} of {len(labels)} right, {noisy} under noise of sigma {SIGMA}")

    torch.onnx.export(
        net, (test[:2],), args.out / "sounds.onnx", input_names=["input"], output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},), dynamo=True, external_data=False)
    strip_metadata(args.out / "sounds.onnx")
    np.save(args.out / "windows.npy", samples)
    np.save(args.out / "labels.npy", labels)


if __name__ == "__main__":
    main()
