"""Pictures as telephones send them."""

import io

from PIL import Image

PLACE = "47.3722"
"""A part of the place in the metadata of `photo`."""


def photo(number: int = 0, size: tuple[int, int] = (640, 480), kind: str = "JPEG") -> bytes:
    """A picture whose left half is red. Its metadata say where it was taken, and that it lies on its side."""
    picture = Image.new("RGB", size, (0, 0, 40 + 15 * number))
    picture.paste((220, 20, 20), (0, 0, size[0] // 2, size[1]))
    metadata = Image.Exif()
    metadata[0x0112] = 6  # turn it clockwise to see it upright
    metadata[0x010E] = f"GPS {PLACE} Langstrasse"
    file = io.BytesIO()
    picture.save(file, kind, exif=metadata)
    return file.getvalue()


def bomb(side: int = 12_000) -> bytes:
    """A small file that becomes a very large picture."""
    file = io.BytesIO()
    Image.new("1", (side, side)).save(file, "PNG")
    return file.getvalue()
