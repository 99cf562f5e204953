"""Makes tests/golden/images: small synthetic pictures in every form that read_image knows, and what Pillow makes of them.

    python tests/golden/make_images.py          (needs: pip install pillow pillow-heif numpy; apt install libjpeg-turbo-progs)

NAME is read by the test and compared with NAME.expected.png (RGB as Pillow decodes it, the transparent on white).
resize_WxH.png is resize.png through Image.resize((W, H), BILINEAR).
"""

import os
import subprocess

import numpy as np
import pillow_heif
from PIL import Image

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "images")
os.makedirs(folder, exist_ok=True)


def path(name):
    return os.path.join(folder, name)


def picture(height, width):
    """Smooth slopes and an edge, the same on every machine."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    red = 127 + 120 * np.sin(x / 5.0) * np.cos(y / 7.0)
    green = 255 * x / (width - 1)
    blue = np.where((x - width / 2) ** 2 + (y - height / 2) ** 2 < (height / 3) ** 2, 230.0, 255 * (1 - y / (height - 1)))
    return np.clip(np.stack([red, green, blue], -1) + 0.5, 0, 255).astype(np.uint8)


def on_white(image):
    image = image.convert("RGBA")
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, image).convert("RGB")


def save(name, image, expected=None, **options):
    image.save(path(name), **options)
    if expected is None:
        expected = Image.open(path(name)).convert("RGB")
    expected.save(path(name + ".expected.png"))


rgb = Image.fromarray(picture(24, 32))
grey = rgb.convert("L")
alpha = Image.fromarray(np.tile(np.linspace(0, 255, 32).astype(np.uint8), (24, 1)))
rgba = rgb.copy()
rgba.putalpha(alpha)
grey_alpha = grey.copy()
grey_alpha.putalpha(alpha)

save("baseline.jpg", rgb, quality=90, subsampling=0)
save("subsampled.jpg", rgb, quality=90, subsampling=2)
save("progressive.jpg", rgb, quality=90, subsampling=0, progressive=True)
save("grey.jpg", grey, quality=90)
save("cmyk.jpg", rgb.convert("CMYK"), quality=95)
save("colour.png", rgb)
save("grey.png", grey)
save("grey_alpha.png", grey_alpha, on_white(grey_alpha))
save("alpha.png", rgba, on_white(rgba))
save("palette.png", rgb.quantize(16), None)
save("colour.bmp", rgb)
save("palette.gif", rgb.quantize(64))
# 16 bits: the upper eight are kept.
deep = (np.array(grey).astype(np.uint16) << 8) | 0x80
save("deep.png", Image.fromarray(deep), Image.fromarray((deep >> 8).astype(np.uint8)).convert("RGB"))

# Adobe's marker (segment FF EE) says how four components are to be read: its last byte is 0 for CMYK, 2 for YCCK.
data = open(path("cmyk.jpg"), "rb").read()
at = data.index(b"\xff\xee")
open(path("ycck.jpg"), "wb").write(data[: at + 15] + b"\x02" + data[at + 16 :])
Image.open(path("ycck.jpg")).convert("RGB").save(path("ycck.jpg.expected.png"))
length = int.from_bytes(data[at + 2 : at + 4], "big")
open(path("cmyk_without_marker.jpg"), "wb").write(data[:at] + data[at + 2 + length :])

# Arithmetic coding, which Pillow does not write.
baseline = open(path("baseline.jpg"), "rb").read()
arithmetic = subprocess.run(["jpegtran", "-arithmetic"], input=baseline, stdout=subprocess.PIPE, check=True).stdout
open(path("arithmetic.jpg"), "wb").write(arithmetic)
Image.open(path("baseline.jpg")).convert("RGB").save(path("arithmetic.jpg.expected.png"))

# Transparency of one colour and of entries of a palette, 16 bits with alpha, rows in seven passes.
palette = rgb.quantize(16)
save("palette_alpha.png", palette, on_white(palette), transparency=3)
Image.open(path("palette_alpha.png")).convert("RGBA").save(path("scratch.png"))
on_white(Image.open(path("scratch.png"))).save(path("palette_alpha.png.expected.png"))
os.remove(path("scratch.png"))
save("animated.gif", rgb.quantize(64), rgb.quantize(64).convert("RGB"), save_all=True,
     append_images=[grey.convert("P")], duration=100)

save("lossy.webp", rgb, quality=80)
save("lossless.webp", rgb, lossless=True)
save("alpha.webp", rgba, on_white(rgba), lossless=True)
save("animated.webp", rgb, rgb, save_all=True, append_images=[grey.convert("RGB")], lossless=True)
pillow_heif.register_heif_opener()
save("colour.avif", rgb, quality=90, subsampling="4:4:4")  # decoders widen chroma each in its own way
save("colour.heic", rgb, quality=90)

source = Image.fromarray(picture(37, 53))
source.save(path("resize.png"))
for size in [(16, 16), (7, 5), (53, 10), (20, 37), (90, 71), (1, 1), (10, 80)]:
    source.resize(size, Image.BILINEAR).save(path("resize_%dx%d.png" % size))
