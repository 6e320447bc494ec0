"""Trains a Keras classifier with a Rescaling layer and exports it for ucan.

    pip install tensorflow-cpu tf2onnx pillow scikit-learn
    python docs/examples/keras-images/make.py --out keras-tour

writes into the folder
    scans.onnx    the classifier, as Keras exports it: rows of 8x8x1 pixels from 0 to 255
    scans.zip     300 images that it has not seen, a folder for each class
    model.yaml    how ucan has to feed it

The data are the digits of 8x8 pixels that come with scikit-learn (see
export_pytorch.py): nothing is downloaded, and it takes about a minute.
"""
import argparse
import io
import os
import pathlib
import zipfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from keras import layers
from PIL import Image
from sklearn.datasets import load_digits

SIGMA = 0.25  # noise while training, on the scale [0,1]: without it, a smoothed classifier certifies little


def network():
    return keras.Sequential([
        keras.Input((8, 8, 1)),
        layers.Rescaling(1 / 255),           # pixels come from 0 to 255
        layers.GaussianNoise(SIGMA),         # in training only, and not in the export
        layers.Conv2D(16, 3, padding="same", activation="relu"),
        layers.Conv2D(24, 3, padding="same", activation="relu"),
        layers.MaxPooling2D(),
        layers.Flatten(),
        layers.Dense(48, activation="relu"),
        layers.Dense(10, activation="softmax"),
    ])


def write_images(path, images, labels):
    """Writes PNG files into a zip, each in the folder of its class."""
    with zipfile.ZipFile(path, "w") as archive:
        for k, (image, label) in enumerate(zip(images, labels)):
            file = io.BytesIO()
            Image.fromarray(image).save(file, "PNG")
            archive.writestr(zipfile.ZipInfo(f"{label}/{k:03}.png"), file.getvalue())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder to write to")
    parser.add_argument("--epochs", type=int, default=40)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)

    scans = load_digits()
    images = np.round(scans.images * (255 / 16)).astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(images))
    train, test = order[:1497], order[1497:]

    keras.utils.set_random_seed(0)
    model = network()
    model.compile(keras.optimizers.AdamW(3e-3), "sparse_categorical_crossentropy")
    model.fit(images[train, ..., None], scans.target[train], batch_size=64, epochs=args.epochs, verbose=0)
    answers = model.predict(images[test, ..., None], verbose=0).argmax(1)
    print(f"held out: {np.sum(answers == scans.target[test])} of {len(test)} right")

    model.export(args.out / "scans.onnx", format="onnx", verbose=False)
    write_images(args.out / "scans.zip", images[test], scans.target[test])
    (args.out / "model.yaml").write_text("input: {layout: nhwc, scale: 255}\noutput: {kind: probabilities}\n")


if __name__ == "__main__":
    main()
