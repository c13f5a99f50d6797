"""Encrypts the payloads that Temporal stores: AES-256-GCM, with keys that can be rotated (docs/operations.md).

`python -m contracts.encryption new-key [ID]` prints a new key as `CMI_ENCRYPTION_KEYS` takes it.
"""

import argparse
import json
import logging
import os
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from contracts import names
from contracts.keys import (
    NONCE_BYTES,
    VALID_ID,
    EncryptionError,
    KeyErased,
    KeyRing,
    UnknownKey,
    new_key,
)

logger = logging.getLogger("cmi.encryption")

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
"""The metadata that names the master key; absent if the payload has the data key of its workflow."""
FORMAT = "encryption-format"
"""The metadata that tells how the payload was made; absent in the first format, which is bound to nothing."""
BOUND_TO = "encryption-bound-to"
"""The metadata with namespace, workflow id and kind of the payload, as JSON."""
# Authenticated, so that no ciphertext made for another purpose is accepted.
_FIRST_FORMAT = b"cmi-payload-1\0"
_SECOND_FORMAT = b"cmi-payload-2\0"
_SCHEDULED_RUN = re.compile(r"-\d{4}-\d\d-\d\dT[\d:.]+Z")
REFUSED = Payload(metadata={"encoding": b"binary/refused"})
"""Replaces a payload that is not encrypted, or was encrypted for another workflow. No converter can read it, so an
update with it is refused and a signal with it is ignored."""
ERASED = Payload(metadata={"encoding": b"json/plain"}, data=b'"erased"')
"""Replaces a payload whose key was erased, where staff look at it."""


class Bound(NamedTuple):
    """What a payload is bound to: it can be decrypted nowhere else."""

    namespace: str
    workflow_id: str
    kind: Literal["workflow", "activity"]

    @classmethod
    def of(cls, context: SerializationContext) -> "Bound | None":
        """The binding in a context of the SDK; None if the context belongs to no workflow."""
        match context:
            case WorkflowSerializationContext():
                return cls(context.namespace, context.workflow_id, "workflow")
            case ActivitySerializationContext(workflow_id=str(workflow_id)):
                return cls(context.namespace, workflow_id, "activity")
            case _:
                return None

    def fits(self, here: "Bound") -> bool:
        """Whether what was bound to this may be read here.

        The input of a scheduled workflow is bound to the id in the schedule; each run adds its time to the id.
        """
        if self == here:
            return True
        more = here.workflow_id.removeprefix(self.workflow_id)
        return (
            self.namespace == here.namespace
            and self.kind == here.kind
            and more != here.workflow_id
            and _SCHEDULED_RUN.fullmatch(more) is not None
        )


class _Forged(EncryptionError):
    """The payload was not made with one of our keys, or was changed."""


class EncryptionCodec(PayloadCodec, WithSerializationContext):
    """Encrypts each payload (data and metadata), and binds it to its namespace, workflow and kind.

    A payload becomes `data` = 12 random bytes (the nonce), ciphertext and tag. Its metadata, all of it authenticated:
    `encoding` "binary/encrypted", `encryption-format` "2", `encryption-bound-to` (the SDK's serialization context),
    and `encryption-key-id`, the id of the master key, unless it is encrypted with the data key of an order.

    Where the SDK gives a context, only what is bound to that context is decrypted; anything else becomes `REFUSED`, so
    that a stranger's command has no effect and does not stop the order. Without a context, as in the codec endpoint,
    all is decrypted that a key fits. If a key is missing, decoding raises, so that the task is tried again.

    Payloads of the first format are bound to nothing. They are read if their key is not the first one: whoever comes
    from a release that wrote them puts a new key in front (docs/operations.md, "Encryption").

    With random nonces a key is good for 2**32 payloads; an order takes about a hundred.
    """

    def __init__(
        self, ring: KeyRing, *, accept_plain: bool = False, bound: Bound | None = None
    ) -> None:
        """`accept_plain`: read what is not encrypted as well, while orders still run that began without keys."""
        self._ring = ring
        self._accept_plain = accept_plain
        self._bound = bound

    def with_context(self, context: SerializationContext) -> "EncryptionCodec":
        """The codec for the payloads of one workflow or activity."""
        return EncryptionCodec(self._ring, accept_plain=self._accept_plain, bound=Bound.of(context))

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt: an order's payloads with its data key, all others with the first master key.

        Raises:
            KeyErased: the data key of the order was erased.
        """
        bound, ring = self._bound, self._ring
        metadata = {"encoding": ENCODING, FORMAT: b"2"}
        if bound is not None:
            metadata[BOUND_TO] = json.dumps(bound, separators=(",", ":")).encode()
        if bound is not None and self._has_data_key(bound):
            cipher = await ring.data_key(bound.workflow_id)
        else:
            metadata[KEY_ID] = ring.current.encode()
            cipher = ring.master(ring.current)
        return [_sealed(cipher, payload, metadata) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt. A payload of another workflow becomes `REFUSED`; an erased one, without a context, `ERASED`.

        Raises:
            UnknownKey: the key is not configured (any more).
            KeyErased: the data key was erased.
            EncryptionError: the payload was changed, was not encrypted by us, or is of the first format under the
                first key.
        """
        return [await self._decrypt(payload) for payload in payloads]

    async def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            if self._accept_plain or self._bound is None:
                return payload
            return self._refused("not encrypted")
        try:
            if FORMAT in payload.metadata:
                return await self._decrypt_bound(payload)
            return self._decrypt_first_format(payload)
        except _Forged as error:
            if self._bound is None:
                raise
            return self._refused(str(error))

    async def _decrypt_bound(self, payload: Payload) -> Payload:
        raw = payload.metadata.get(BOUND_TO)
        bound = _bound_of(raw) if raw is not None else None
        if self._bound is not None and (bound is None or not bound.fits(self._bound)):
            return self._refused("encrypted for another workflow")
        if KEY_ID in payload.metadata:
            if self._bound is not None and self._has_data_key(self._bound):
                return self._refused("not encrypted with the data key of the order")
            cipher, key_id = self._master(payload)
        elif bound is None:
            raise _Forged("encrypted, and does not say with which key")
        else:
            key_id = f"of {bound.workflow_id}"
            try:
                cipher = await self._ring.data_key(bound.workflow_id)
            except KeyErased:
                if self._bound is None:
                    return ERASED
                raise
        return _opened(cipher, payload, _authenticated(payload.metadata), key_id)

    def _decrypt_first_format(self, payload: Payload) -> Payload:
        try:
            cipher, key_id = self._master(payload)
        except UnknownKey as error:
            # Only old payloads have this format, among them the input of the workflow: if that cannot be read, the
            # task fails and is tried again. So nothing is lost by refusing what a stranger may have sent.
            if self._bound is None:
                raise
            raise _Forged(str(error)) from None
        opened = _opened(cipher, payload, _FIRST_FORMAT + key_id.encode(), key_id)
        if self._bound is not None and key_id == self._ring.current and not self._accept_plain:
            raise EncryptionError(
                f"encrypted with the key {key_id!r} by an older release: put a new key in front of it"
            )
        return opened

    def _master(self, payload: Payload) -> tuple[AESGCM, str]:
        # Anybody may have written it, so only a text in the form of an id may go into messages and logs.
        key_id = payload.metadata.get(KEY_ID, b"").decode("ascii", "replace")
        if not VALID_ID.fullmatch(key_id):
            raise _Forged("encrypted, and does not say with which key")
        return self._ring.master(key_id), key_id

    def _has_data_key(self, bound: Bound) -> bool:
        return self._ring.has_data_keys and not names.is_taken(bound.workflow_id)

    def _refused(self, why: str) -> Payload:
        logger.error(
            "a payload was refused",
            extra={"why": why, "about": self._bound.workflow_id if self._bound else None},
        )
        return REFUSED


def _sealed(cipher: AESGCM, payload: Payload, metadata: Mapping[str, bytes]) -> Payload:
    nonce = os.urandom(NONCE_BYTES)
    sealed = cipher.encrypt(nonce, payload.SerializeToString(), _authenticated(metadata))
    return Payload(metadata=metadata, data=nonce + sealed)


def _authenticated(metadata: Mapping[str, bytes]) -> bytes:
    """The associated data of the second format: its key's id and what it is bound to."""
    return b"\0".join((_SECOND_FORMAT, metadata.get(KEY_ID, b""), metadata.get(BOUND_TO, b"")))


def _opened(cipher: AESGCM, payload: Payload, about: bytes, key_id: str) -> Payload:
    nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
    try:
        return Payload.FromString(cipher.decrypt(nonce, sealed, about))
    except (InvalidTag, ValueError, DecodeError):
        raise _Forged(
            f"cannot be decrypted with the key {key_id!r}: it was changed, or this is another key of that id"
        ) from None


def _bound_of(raw: bytes) -> Bound | None:
    try:
        namespace, workflow_id, kind = json.loads(raw)
    except (ValueError, TypeError, RecursionError):
        return None
    texts = all(isinstance(each, str) for each in (namespace, workflow_id))
    return Bound(namespace, workflow_id, kind) if texts and kind in _KINDS else None


_KINDS = ("workflow", "activity")


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
