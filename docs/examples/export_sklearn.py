"""Trains a scikit-learn classifier on real scanned digits and exports it for ucan.

    pip install scikit-learn skl2onnx
    python docs/examples/export_sklearn.py --out sklearn-tour

writes into the folder
    scans_mlp.onnx   a standard scaler and a neural network in one graph, as skl2onnx makes it
    scans-x.npy      held-out rows, float32 [N,64] in [0,1]
    scans-y.npy      their labels, int64 [N]

Any other scikit-learn classifier goes the same way. Data: see export_pytorch.py.
"""
import argparse
import pathlib
import warnings

import numpy as np
from skl2onnx import to_onnx
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

SIGMA = 0.25   # noise while training: without it, a smoothed classifier certifies little
COPIES = 20    # noisy copies of each training row


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    scans = load_digits()
    rng = np.random.default_rng(0)
    x, y = (scans.data / 16).astype(np.float32), scans.target
    order = rng.permutation(len(y))
    train, test = order[:1297], order[1297:]

    many = np.tile(train, COPIES)
    noisy = (x[many] + SIGMA * rng.standard_normal(x[many].shape)).astype(np.float32)
    model = make_pipeline(StandardScaler(), MLPClassifier((128,), max_iter=12, random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a few passes are enough
        model.fit(noisy, y[many])
    print(f"held out: accuracy {model.score(x[test], y[test]):.4f}")

    # zipmap=False: plain arrays of probabilities instead of one dictionary a row.
    options = {id(model): {"zipmap": False}}
    onnx_model = to_onnx(model, x[:1], options=options, target_opset=17)
    (args.out / "scans_mlp.onnx").write_bytes(onnx_model.SerializeToString())
    np.save(args.out / "scans-x.npy", x[test])
    np.save(args.out / "scans-y.npy", y[test])
    print(f"wrote {args.out / 'scans_mlp.onnx'}; next:")
    print(f"  ucan certify --model {args.out}/scans_mlp.onnx --data npy:{args.out}/scans-x.npy,{args.out}/scans-y.npy --sigma {SIGMA} --n 10000")


if __name__ == "__main__":
    main()
