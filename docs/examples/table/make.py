"""Trains a random forest on a table with two classes and exports it for ucan.

    pip install scikit-learn skl2onnx
    python docs/examples/table/make.py --out table-tour

writes into the folder
    forest.onnx   the classifier, with the names of its classes, as skl2onnx makes it
    test.csv      170 rows that it has not seen: 30 columns and the diagnosis
    std.npy       the standard deviation of each column on the training rows

The data are the 569 measurements that come with scikit-learn (W. Wolberg,
O. Mangasarian, N. Street, W. Street, Breast Cancer Wisconsin (Diagnostic), UCI
Machine Learning Repository, 1995): nothing is downloaded. Ten seconds.
"""
import argparse
import csv
import pathlib

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

SIGMA = 0.25  # of each column's standard deviation: noise while training, and for the certificates
COPIES = 10   # noisy copies of each training row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    data = load_breast_cancer()
    x, y = data.data.astype(np.float32), data.target_names[data.target]  # "malignant" and "benign"
    rng = np.random.default_rng(0)
    order = rng.permutation(len(y))
    train, test = order[:399], order[399:]

    std = x[train].std(0)
    many = np.tile(train, COPIES)
    noisy = x[many] + SIGMA * std * rng.standard_normal(x[many].shape).astype(np.float32)
    model = RandomForestClassifier(40, min_samples_leaf=5, random_state=0).fit(noisy, y[many])
    print(f"held out: {np.sum(model.predict(x[test]) == y[test])} of {len(test)} right")

    # zipmap=False: plain arrays of probabilities instead of one dictionary a row.
    onnx_model = to_onnx(model, x[:1], options={id(model): {"zipmap": False}}, target_opset=17)
    (args.out / "forest.onnx").write_bytes(onnx_model.SerializeToString())
    with open(args.out / "test.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(name.replace(" ", "_") for name in data.feature_names), "diagnosis"])
        writer.writerows([*map(str, row), label] for row, label in zip(x[test], y[test]))
    np.save(args.out / "std.npy", std)


if __name__ == "__main__":
    main()
