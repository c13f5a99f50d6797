"""The keys that encrypt what Temporal stores: master keys from the configuration, and a data key for each order."""

import base64
import binascii
import os
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
NONCE_BYTES = 12
VALID_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}", re.ASCII)
_DATA_KEY = b"cmi-data-key-1\0"  # authenticated: a wrapped key is nothing else
_CACHED = 10_000
_CACHE_SECONDS = 60.0
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


class KeyErased(EncryptionError):
    """The data key of the workflow was erased: its payloads cannot be read any more, and no new ones are written."""

    def __init__(self, workflow_id: str) -> None:
        super().__init__(f"encrypted with the data key of {workflow_id}, which was erased")


class WrappedKey(NamedTuple):
    """The data key of a workflow, encrypted with a master key. `wrapped` is None after it was erased."""

    key_id: str
    wrapped: bytes | None


class DataKeys(Protocol):
    """Where data keys are stored (`records/data_keys.py`)."""

    async def get(self, workflow_id: str) -> WrappedKey | None:
        """The data key of a workflow, None if it has none yet."""

    async def put(self, workflow_id: str, key: WrappedKey) -> WrappedKey:
        """Store a key unless there is one. Returns the one that is stored."""


class KeyRing:
    """The master keys, and the data keys of workflows, which the master keys wrap.

    A data key is read again after a minute, so that an erased one is gone from all processes by then.
    """

    def __init__(
        self, keys: Sequence[tuple[str, bytes]], data_keys: DataKeys | None = None
    ) -> None:
        """Use master keys as `parse_keys` returns them. Without `data_keys` all is encrypted with the master key.

        Raises:
            ValueError: there are no keys.
        """
        if not keys:
            raise ValueError("expected a key to encrypt with")
        self._masters = {key_id: AESGCM(key) for key_id, key in keys}
        self.current = keys[0][0]
        self._data_keys = data_keys
        self._cached: OrderedDict[str, tuple[float, AESGCM]] = OrderedDict()

    @property
    def has_data_keys(self) -> bool:
        """Whether orders have keys of their own."""
        return self._data_keys is not None

    def master(self, key_id: str) -> AESGCM:
        """A master key. Raises `UnknownKey`."""
        if (cipher := self._masters.get(key_id)) is None:
            raise UnknownKey(key_id)
        return cipher

    async def data_key(self, workflow_id: str) -> AESGCM:
        """The data key of a workflow, made if there is none yet.

        Raises:
            KeyErased: it was erased.
            EncryptionError: it cannot be unwrapped, or this process has no access to data keys.
        """
        kept = self._cached.get(workflow_id)
        if kept is not None and time.monotonic() < kept[0]:
            self._cached.move_to_end(workflow_id)
            return kept[1]
        if self._data_keys is None:
            raise EncryptionError("encrypted with a data key, which this process cannot read")
        stored = await self._data_keys.get(workflow_id)
        if stored is None:
            made = self.wrap(workflow_id, AESGCM.generate_key(KEY_BYTES * 8))
            stored = await self._data_keys.put(workflow_id, made)
        if stored.wrapped is None:
            self._cached.pop(workflow_id, None)
            raise KeyErased(workflow_id)
        cipher = AESGCM(self.unwrap(workflow_id, stored))
        self._cached[workflow_id] = (time.monotonic() + _CACHE_SECONDS, cipher)
        if len(self._cached) > _CACHED:
            self._cached.popitem(last=False)
        return cipher

    def wrap(self, workflow_id: str, key: bytes) -> WrappedKey:
        """A data key, encrypted with the first master key for this workflow."""
        nonce = os.urandom(NONCE_BYTES)
        about = _DATA_KEY + workflow_id.encode()
        return WrappedKey(
            self.current, nonce + self.master(self.current).encrypt(nonce, key, about)
        )

    def rewrapped(self, workflow_id: str, stored: WrappedKey) -> WrappedKey:
        """A data key, wrapped with the first master key instead. Raises `EncryptionError`."""
        return self.wrap(workflow_id, self.unwrap(workflow_id, stored))

    def unwrap(self, workflow_id: str, stored: WrappedKey) -> bytes:
        """The data key of a workflow. Raises `EncryptionError`."""
        wrapped = stored.wrapped or b""
        about = _DATA_KEY + workflow_id.encode()
        try:
            return self.master(stored.key_id).decrypt(
                wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], about
            )
        except (InvalidTag, ValueError):
            raise EncryptionError(
                f"the data key of {workflow_id} cannot be decrypted with the key {stored.key_id!r}"
            ) from None


def parse_keys(text: str) -> list[tuple[str, bytes]]:
    """The keys of `CMI_ENCRYPTION_KEYS`, `id:key[,id:key…]`: the first encrypts, all decrypt.

    A key is 32 bytes in base64 (either alphabet, padded or not). An id is up to 32 letters, digits, dots, hyphens and
    underscores; it is not secret.

    Raises:
        ValueError: an entry is wrong; the text says which and what is expected. It quotes nothing, since a key may be
            where an id belongs.
    """
    keys: list[tuple[str, bytes]] = []
    for number, entry in enumerate(text.split(","), start=1):
        key_id, colon, encoded = (part.strip() for part in entry.partition(":"))
        if not colon or not VALID_ID.fullmatch(key_id):
            raise ValueError(f"entry {number}: {_EXPECTED}")
        if key_id in dict(keys):
            raise ValueError(f"entry {number}: its id occurs twice")
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
    if not VALID_ID.fullmatch(key_id):
        raise ValueError("a key's id is up to 32 letters, digits, dots, hyphens and underscores")
    return f"{key_id}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"
