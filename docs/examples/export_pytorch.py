"""Trains a small PyTorch classifier on real scanned digits and exports it for ucan.

    pip install torch onnx onnxscript scikit-learn
    python docs/examples/export_pytorch.py --out tour

writes into the folder `tour`
    scans_cnn.onnx   the classifier, as torch.onnx.export makes it
    scans-x.npy      held-out images, float32 [N,1,8,8] in [0,1]
    scans-y.npy      their labels, int64 [N]
    model.yaml       how ucan has to feed it

The data are the 1,797 handwritten digits of 8x8 pixels that come with
scikit-learn (E. Alpaydin, C. Kaynak, UCI machine learning repository, 1998):
nothing is downloaded, and it takes about half a minute on one core.
"""
import argparse
import pathlib

import numpy as np
import onnx
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

MEAN, STD = 0.3, 0.38  # of all pixels; the network is trained on (x - MEAN) / STD
SIGMA = 0.25           # noise while training: without it, a smoothed classifier certifies little


class ScansCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Dropout(0.2), nn.Linear(32 * 16, 64), nn.ReLU(), nn.Linear(64, 10))

    def forward(self, x):
        return self.body(x)


def strip_metadata(path):
    """Removes the notes of PyTorch's exporter, which quote source code and paths of this machine."""
    model = onnx.load(path)
    graph = model.graph
    for item in (model, graph, *graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        del item.metadata_props[:]
    for node in graph.node:
        node.doc_string = ""
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=50)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    scans = load_digits()
    x = torch.tensor(scans.images / 16, dtype=torch.float32).unsqueeze(1)  # [N,1,8,8] in [0,1]
    y = torch.tensor(scans.target)
    torch.set_num_threads(1)  # more only get into each other's way with a network this small
    torch.manual_seed(0)
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    train, test = order[:1297], order[1297:]

    net = ScansCNN()
    optimiser = torch.optim.AdamW(net.parameters(), lr=2e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, args.epochs)
    for _ in range(args.epochs):
        for batch in train[torch.randperm(len(train))].split(64):
            noisy = x[batch] + SIGMA * torch.randn_like(x[batch])   # noise in [0,1] space, before normalisation
            loss = F.cross_entropy(net((noisy - MEAN) / STD), y[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        schedule.step()

    net.eval()  # exporting in training mode gives a random, batch-dependent function, which ucan refuses
    with torch.no_grad():
        clean = net((x[test] - MEAN) / STD).argmax(1)
        noisy = net((x[test] + SIGMA * torch.randn_like(x[test]) - MEAN) / STD).argmax(1)
    print(f"held out: accuracy {(clean == y[test]).float().mean():.4f}, "
          f"under noise of sigma {SIGMA} {(noisy == y[test]).float().mean():.4f}")

    torch.onnx.export(
        net, (x[:2],), args.out / "scans_cnn.onnx", input_names=["input"], output_names=["logits"],
        dynamic_shapes=({0: torch.export.Dim("batch")},), dynamo=True, external_data=False)
    strip_metadata(args.out / "scans_cnn.onnx")
    np.save(args.out / "scans-x.npy", x[test].numpy())
    np.save(args.out / "scans-y.npy", y[test].numpy())
    (args.out / "model.yaml").write_text(
        f"input: {{layout: nchw, mean: [{MEAN}], std: [{STD}]}}\noutput: {{kind: logits}}\n")
    print(f"wrote {args.out / 'scans_cnn.onnx'}; next:")
    print(f"  ucan certify --model {args.out}/scans_cnn.onnx --data npy:{args.out}/scans-x.npy,{args.out}/scans-y.npy --sigma {SIGMA} --n 10000")


if __name__ == "__main__":
    main()
