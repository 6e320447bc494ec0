"""Trains a classifier that has never seen noise, and a denoiser to put in front of it.

    pip install torch onnx onnxscript scikit-learn
    python docs/examples/denoiser/make.py --out denoiser-tour

writes into the folder
    classifier.onnx   a network trained on clean scans of digits, 8x8 pixels in [0,1]
    denoiser.onnx     a network that takes Gaussian noise out of such scans

The classifier stays as it is: the denoiser learns to give it back its answers
(H. Salman et al., Denoised Smoothing, NeurIPS 2020). The held-out scans are those
of docs/examples/scans; data: see export_pytorch.py. A minute on one core.
"""
import argparse
import pathlib
import sys

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

sys.path.insert(0, str(pathlib.Path(__file__).parents[1]))
from export_pytorch import strip_metadata

SIGMA = 0.25


class Classifier(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(24 * 16, 48), nn.ReLU(), nn.Linear(48, 10))


# The denoiser, in 20 lines.
class Denoiser(nn.Module):
    def __init__(self, width=24):
        super().__init__()
        self.noise = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(),
            nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, x):
        return x - self.noise(x)  # it learns the noise (DnCNN), not the image


def denoising_loss(denoiser, classifier, x):
    clean = denoiser(x + SIGMA * torch.randn_like(x))
    with torch.no_grad():
        answers = classifier(x).softmax(1)
    return F.mse_loss(clean, x) + 0.05 * F.cross_entropy(classifier(clean), answers)


def fit(parameters, loss, data, epochs):
    optimiser = torch.optim.Adam(parameters, lr=2e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs)
    for _ in range(epochs):
        for batch in data[torch.randperm(len(data))].split(64):
            optimiser.zero_grad()
            loss(batch).backward()
            optimiser.step()
        schedule.step()


def export(net, x, path, name):
    torch.onnx.export(
        net.eval(), (x[:2],), path, input_names=["input"], output_names=[name],
        dynamic_shapes=({0: torch.export.Dim("batch")},), dynamo=True, external_data=False)
    strip_metadata(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    scans = load_digits()
    x = torch.tensor(scans.images / 16, dtype=torch.float32).unsqueeze(1)  # [N,1,8,8] in [0,1]
    y = torch.tensor(scans.target)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))  # as export_pytorch.py
    train, test = order[:1297], order[1297:]

    classifier = Classifier()
    fit(classifier.parameters(), lambda k: F.cross_entropy(classifier(x[k]), y[k]), train, 20)
    for weight in classifier.parameters():
        weight.requires_grad_(False)
    denoiser = Denoiser()
    fit(denoiser.parameters(), lambda k: denoising_loss(denoiser, classifier, x[k]), train, 60)

    with torch.no_grad():
        noisy = x[test] + SIGMA * torch.randn_like(x[test])
        for name, rows in (("clean", x[test]), ("noisy", noisy), ("denoised", denoiser(noisy))):
            print(f"held out, {name}: {(classifier(rows).argmax(1) == y[test]).sum()} of {len(test)} right")

    export(classifier, x, args.out / "classifier.onnx", "logits")
    export(denoiser, x, args.out / "denoiser.onnx", "clean")


if __name__ == "__main__":
    main()
