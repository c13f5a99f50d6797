"""What must not be let out of its limits (`documents/confined.py`): each input is one way to take too much."""

import os
import sys
import time
from pathlib import Path

from tests.statements import attacks


def _is_open(handle: int) -> bool:
    try:
        os.fstat(handle)
    except OSError:
        return False
    return True


def main(data: bytes) -> bytes:
    """Do what the first word says."""
    what, _, argument = data.decode().partition(" ")
    match what:
        case "echo":
            print("a library that prints")
            return argument.encode()
        case "environment":
            return repr(
                (sorted(os.environ), os.getcwd(), list(filter(_is_open, range(256))))
            ).encode()
        case "memory":
            return bytes(1 << 40)
        case "hoard":
            kept = []
            while True:
                kept.append(bytearray(1 << 20))
        case "spin":
            while True:
                pass
        case "sleep":
            Path(os.environ["TMPDIR"], "pid").write_text(str(os.getpid()))
            time.sleep(600)
        case "attack":
            return "\n".join(attacks.succeeded(argument)).encode()
        case "fail":
            raise ValueError(f"a secret: {argument}")
        case "exit":
            sys.exit(int(argument))
        case "file":
            Path(os.environ["TMPDIR"], "left-over").write_bytes(b"x")
            return os.environ["TMPDIR"].encode()
    return b""
