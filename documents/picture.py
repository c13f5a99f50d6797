"""Turns a picture that somebody sent into a smaller JPEG without metadata, in a confined process.

`documents/picture_process.py` runs in that process (`documents/confined.py`).
"""

import hashlib
import json
import struct

from documents.confined import ConfinedError, Limits, run_confined
from domain.errors import InvalidCommand
from domain.orders.photos import LARGEST, Picture

LIMITS = Limits(memory=1 << 30, seconds=30)
_HEIF = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif")


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
        answer = await run_confined("documents.picture_process", content, LIMITS)
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
