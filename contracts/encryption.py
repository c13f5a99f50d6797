"""Encrypts the payloads that Temporal stores: AES-256-GCM, with keys that can be rotated (docs/operations.md).

`python -m contracts.encryption new-key [ID]` prints a new key as `CMI_ENCRYPTION_KEYS` takes it.
"""

import argparse
import base64
import binascii
import os
import re
import secrets
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
KEY_BYTES = 32
NONCE_BYTES = 12
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", re.ASCII)
_CONTEXT = (
    b"cmi-payload-1\0"  # authenticated, so that no ciphertext made for another purpose is accepted
)
_EXPECTED = (
    "must be id:key[,id:key…], each key 32 bytes in base64 (python -m contracts.encryption new-key)"
)


class EncryptionError(Exception):
    """A payload cannot be decrypted. The text has the key's id, and nothing of the key or the content."""


class UnknownKey(EncryptionError):
    """A payload was encrypted with a key that is not configured."""

    def __init__(self, key_id: str) -> None:
        self.key_id = key_id
        super().__init__(f"encrypted with the key {key_id!r}, which is not in CMI_ENCRYPTION_KEYS")


class EncryptionCodec(PayloadCodec):
    """Encrypts each payload (data and metadata) with the first key; decrypts with the key that it names.

    A payload becomes `metadata = {encoding: "binary/encrypted", encryption-key-id: id}` and `data` = 12 random bytes
    (the nonce), then ciphertext and tag. The key id is authenticated as well. Payloads that are not encrypted are
    read as they are: they were written before there were keys, or are search attributes.

    With random nonces a key is good for 2**32 payloads; an order takes about a hundred.
    """

    def __init__(self, keys: Sequence[tuple[str, bytes]]) -> None:
        """Use keys as `parse_keys` returns them.

        Raises:
            ValueError: there are none.
        """
        if not keys:
            raise ValueError("expected a key to encrypt with")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys}
        self._current = keys[0][0]

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt with the first key."""
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt the payloads that are encrypted.

        Raises:
            UnknownKey: the key is not configured (any more).
            EncryptionError: the payload was changed, or was not encrypted by us.
        """
        return [
            self._decrypt(payload) if payload.metadata.get("encoding") == ENCODING else payload
            for payload in payloads
        ]

    def _encrypt(self, payload: Payload) -> Payload:
        key_id = self._current.encode()
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(
            nonce, payload.SerializeToString(), _CONTEXT + key_id
        )
        return Payload(metadata={"encoding": ENCODING, KEY_ID: key_id}, data=nonce + sealed)

    def _decrypt(self, payload: Payload) -> Payload:
        raw_id = payload.metadata.get(KEY_ID, b"")
        # Anybody may have written it: only what looks like an id may go into messages and logs.
        key_id = raw_id.decode("ascii", "replace")
        if not _ID.fullmatch(key_id):
            raise EncryptionError("encrypted, and does not say with which key")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise UnknownKey(key_id)
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            return Payload.FromString(cipher.decrypt(nonce, sealed, _CONTEXT + raw_id))
        except (InvalidTag, ValueError, DecodeError):
            raise EncryptionError(
                f"cannot be decrypted with the key {key_id!r}: it was changed, or this is another key of that id"
            ) from None


def parse_keys(text: str) -> list[tuple[str, bytes]]:
    """The keys of `CMI_ENCRYPTION_KEYS`, `id:key[,id:key…]`: the first encrypts, all decrypt.

    A key is 32 bytes in base64 (either alphabet, padded or not). An id is up to 32 letters, digits, dots, hyphens and
    underscores; it is not secret.

    Raises:
        ValueError: the text says which entry is wrong and what is expected. It quotes nothing, since a key may stand in
            the place of an id.
    """
    keys: list[tuple[str, bytes]] = []
    for number, entry in enumerate(text.split(","), start=1):
        key_id, colon, encoded = (part.strip() for part in entry.partition(":"))
        if not colon or not _ID.fullmatch(key_id):
            raise ValueError(f"entry {number}: {_EXPECTED}")
        if key_id in dict(keys):
            raise ValueError(f"entry {number}: its id is there already")
        try:
            plain = encoded.rstrip("=").replace("-", "+").replace("_", "/")
            key = base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
        except (binascii.Error, ValueError):
            raise ValueError(f"entry {number}: {_EXPECTED}") from None
        if len(key) != KEY_BYTES:
            raise ValueError(f"entry {number}: {len(key)} bytes; {_EXPECTED}")
        keys.append((key_id, key))
    return keys


def new_key(key_id: str) -> str:
    """A random key as `CMI_ENCRYPTION_KEYS` takes it.

    Raises:
        ValueError: the id is not valid.
    """
    if not _ID.fullmatch(key_id):
        raise ValueError("a key's id is up to 32 letters, digits, dots, hyphens and underscores")
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m contracts.encryption", description="Keys for CMI."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    command = commands.add_parser(
        "new-key",
        help="print a new key",
        description="Print a new key. Put it first in CMI_ENCRYPTION_KEYS, followed by a comma and the existing keys.",
    )
    today = datetime.now(UTC).date().isoformat()
    command.add_argument("id", nargs="?", default=today, help=f"its id (today, {today})")
    options = parser.parse_args(arguments)
    try:
        print(new_key(options.id))
    except ValueError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
