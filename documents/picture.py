"""Turns a picture that somebody sent into a smaller JPEG without metadata, in a confined process.

`new_picture` starts the process; `main` runs in it (`documents/confined.py`). The metadata of a photo say where, when
and with what it was taken, so they are not copied. The rotation that they give is applied to the pixels.
"""

import hashlib
import io
import json
import struct
from typing import TYPE_CHECKING

from documents.confined import ConfinedError, Limits, run_confined
from domain.errors import InvalidCommand
from domain.orders.photos import LARGEST, Picture

if TYPE_CHECKING:  # loaded in the confined process only
    from PIL.Image import Image

LONGEST = 2048
"""The most pixels of the longer side of a picture that is kept."""
SMALL = 480
"""The most pixels of the longer side of the small copy."""
MOST_PIXELS = 64_000_000
"""A picture with more is not read. The cameras of telephones make up to 50 million, unless they are told otherwise."""
LIMITS = Limits(memory=1 << 30, seconds=30)
FORMATS = ("JPEG", "PNG", "WEBP")
_MODES = ("RGB", "L", "RGBA")
_QUALITY, _SMALL_QUALITY = 82, 75
_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif")

LOADS = (
    "PIL.Image",
    "PIL.ImageOps",
    "PIL.JpegImagePlugin",
    "PIL.PngImagePlugin",
    "PIL.WebPImagePlugin",
)


async def new_picture(content: bytes) -> Picture:
    """The picture of a file that somebody sent. The same file always gives the same picture.

    Raises:
        InvalidCommand: it is too large, or no picture that can be read.
        ConfinedError: the process did not start (kind `start`): the call may be repeated.
    """
    if len(content) > LARGEST:
        raise InvalidCommand("photo", "photo_too_large")
    if content[4:8] == b"ftyp" and content[8:12] in _HEIF:
        raise InvalidCommand("photo", "photo_is_heic")
    try:
        answer = await run_confined("documents.picture", content, LIMITS)
    except ConfinedError as error:
        if error.kind == "start":
            raise
        raise InvalidCommand("photo", "photo_unreadable") from None
    size, answer = answer[:4], answer[4:]
    about = json.loads(answer[: struct.unpack("!L", size)[0]])
    rest = answer[struct.unpack("!L", size)[0] :]
    if "code" in about:
        raise InvalidCommand("photo", about["code"])
    jpeg, small = rest[: about["size"]], rest[about["size"] :]
    sha256 = hashlib.sha256(jpeg).hexdigest()
    return Picture(jpeg, small, about["width"], about["height"], sha256)


def main(data: bytes) -> bytes:
    """Runs in the confined process. The answer: the length of a JSON object, that object, the JPEG, the small JPEG."""
    from PIL import Image, ImageOps, UnidentifiedImageError

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


def _plain(picture: "Image") -> "Image":
    """A new picture with only the pixels of the old one. Transparent pixels become white."""
    from PIL import Image

    made = Image.new("RGB", picture.size, "white")
    made.paste(picture, mask=picture.getchannel("A") if picture.mode == "RGBA" else None)
    return made


def _jpeg(picture: "Image", quality: int) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality, optimize=True)
    return file.getvalue()


def _answer(about: dict[str, object], *parts: bytes) -> bytes:
    header = json.dumps(about).encode()
    return b"".join((struct.pack("!L", len(header)), header, *parts))
