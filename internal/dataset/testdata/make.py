"""Writes the files beside this script and expected.json: what Pillow and NumPy read from them.

Run with Python 3.11, numpy 2.4.6, pillow 12 (any recent version gives the same figures):
    python make.py
"""
import hashlib
import io
import json
import os

import numpy as np
import PIL
from PIL import Image

os.chdir(os.path.dirname(os.path.abspath(__file__)))
rng = np.random.default_rng(7)
expected = {"pillow": PIL.__version__, "numpy": np.__version__, "images": {}, "resize": [], "arrays": {}}


def digest(a):
    return hashlib.sha256(np.ascontiguousarray(a).tobytes()).hexdigest()


def chw(img):
    a = np.asarray(img)
    return a[None] if a.ndim == 2 else a.transpose(2, 0, 1)


# A picture with smooth parts, edges and noise, 37 x 29, so that odd sizes are met.
y, x = np.mgrid[0:29, 0:37]
rgb = np.stack([
    127 + 120 * np.sin(x / 5.0) * np.cos(y / 7.0),
    (x * 6 + y * 2) % 256,
    np.where((x - 18) ** 2 + (y - 14) ** 2 < 90, 230, 30),
], -1)
rgb = np.clip(rgb + rng.normal(0, 6, rgb.shape), 0, 255).astype(np.uint8)
base = Image.fromarray(rgb)
alpha = np.dstack([rgb, ((x * 7) % 256).astype(np.uint8)])
files = {
    "rgb.png": base,
    "gray.png": base.convert("L"),
    "alpha.png": Image.fromarray(alpha, "RGBA"),
    "palette.png": base.quantize(32),
    "rgb.bmp": base,
    "rgb.tiff": base,
}
for name, img in files.items():
    img.save(name)
base.save("j444.jpg", quality=92, subsampling=0)
base.save("j422.jpg", quality=92, subsampling=1)
base.save("j420.jpg", quality=92, subsampling=2)
base.save("progressive.jpg", quality=85, progressive=True)
base.convert("L").save("gray.jpg", quality=92)
base.save("lossless.webp", lossless=True)
base.save("lossy.webp", quality=90)

for name in sorted(os.listdir(".")):
    if name.rsplit(".", 1)[-1] not in ("png", "jpg", "bmp", "tiff", "webp"):
        continue
    img = Image.open(name)
    r, g = chw(img.convert("RGB")), chw(img.convert("L"))
    entry = {"rgb": digest(r), "gray": digest(g)}
    if name.endswith(".jpg") or name == "lossy.webp":
        # decoders may differ in the last bits, so the pixels themselves are kept
        entry["pixels"] = r.reshape(-1).tolist()
    expected["images"][name] = entry

# Resizing: shorter side to a number of pixels as torchvision does, bilinear; centre crop.
for side, crop in [(8, 0), (12, 8), (29, 0), (50, 41), (64, 64), (1, 0), (7, 4)]:
    w, h = base.size
    nw, nh = (side, int(side * h / w)) if w <= h else (int(side * w / h), side)
    img = base.resize((nw, nh), Image.BILINEAR)
    if crop:
        left, top = int(round((nw - crop) / 2.0)), int(round((nh - crop) / 2.0))
        img = img.crop((left, top, left + crop, top + crop))
    expected["resize"].append({"side": side, "crop": crop, "shape": list(chw(img).shape), "sha256": digest(chw(img))})

# Arrays of every type; the same 5 x 2 x 3 numbers where the type can hold them.
x = rng.normal(0, 3, (5, 2, 3))
x[0, 0, 0], x[1, 0, 0] = -0.0, 65504
ints = rng.integers(0, 128, (5, 2, 3))
for dtype in ["<f2", ">f2", "<f4", ">f4", "<f8", ">f8", "|i1", "|u1", "<i2", ">i4", "<u4", "<i8", "|b1"]:
    a = (x if "f" in dtype else ints - (64 if "i" in dtype else 0)).astype(dtype)
    name = "a_" + dtype.translate({ord("<"): "le_", ord(">"): "be_", ord("|"): ""}) + ".npy"
    np.save(name, a)
    v = (a.astype(np.float64) / 255) if "f" not in dtype else a.astype(np.float64)
    expected["arrays"][name] = {"integer": "f" not in dtype, "sha256": [digest(i.astype("<f4")) for i in v]}
with open("v2.npy", "wb") as f:
    np.lib.format.write_array(f, x.astype("<f4"), version=(2, 0))
np.save("fortran.npy", np.asfortranarray(x.astype("<f4")))
np.save("labels.npy", np.array([3, 1, 4, 1, 5]))
np.savez("stored.npz", x=x.astype("<f4"), y=np.eye(6)[[3, 1, 4, 1, 5]])
np.savez_compressed("packed.npz", images=ints.astype("u1"), labels=np.array([[3], [1], [4], [1], [5]]))
with open("expected.json", "w") as f:
    json.dump(expected, f, indent=None, separators=(",", ":"))
    f.write("\n")
