"""Reads a picture that somebody sent and makes a smaller JPEG without metadata of it. Runs in a confined process.

The metadata of a photo say where, when and with what it was taken, so they are not copied. The rotation that they give
is applied to the pixels. This file imports nothing of ours: each picture has a process of its own, and to load
`domain/` would take longer than all the rest.
"""

import io
import json
import struct

from PIL import Image, ImageOps, UnidentifiedImageError

LONGEST = 2048
"""The most pixels of the longer side of a picture that is kept."""
SMALL = 480
"""The most pixels of the longer side of the small copy."""
MOST_PIXELS = 64_000_000
"""A picture with more is not read. The cameras of telephones make up to 50 million, unless they are told otherwise."""
FORMATS = ("JPEG", "PNG", "WEBP")
_MODES = ("RGB", "L", "RGBA")
_QUALITY, _SMALL_QUALITY = 82, 75

LOADS = ("PIL.JpegImagePlugin", "PIL.PngImagePlugin", "PIL.WebPImagePlugin")


def main(data: bytes) -> bytes:
    """The length of a JSON object, that object, the JPEG, the small JPEG. The object has a `code` if there are none."""
    Image.MAX_IMAGE_PIXELS = None  # it is checked here
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as opened:
            if opened.width * opened.height > MOST_PIXELS:
                return _answer({"code": "photo_too_many_pixels"})
            opened.draft("RGB", (LONGEST, LONGEST))  # a JPEG is then read in a smaller scale
            pixels = opened if opened.mode in _MODES else opened.convert("RGBA")
            pixels.thumbnail((LONGEST, LONGEST), Image.Resampling.LANCZOS)
            picture = _plain(ImageOps.exif_transpose(pixels))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, struct.error):
        return _answer({"code": "photo_unreadable"})
    jpeg = _jpeg(picture, _QUALITY)
    width, height = picture.size
    picture.thumbnail((SMALL, SMALL), Image.Resampling.LANCZOS)
    return _answer(
        {"width": width, "height": height, "size": len(jpeg)}, jpeg, _jpeg(picture, _SMALL_QUALITY)
    )


def _plain(picture: Image.Image) -> Image.Image:
    """A new picture with only the pixels of the old one. Transparent pixels become white."""
    made = Image.new("RGB", picture.size, "white")
    made.paste(picture, mask=picture.getchannel("A") if picture.mode == "RGBA" else None)
    return made


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue()


def _answer(about: dict[str, object], *parts: bytes) -> bytes:
    header = json.dumps(about).encode()
    return b"".join((struct.pack("!L", len(header)), header, *parts))
