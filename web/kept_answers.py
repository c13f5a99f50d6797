"""Encrypts the answers that are kept for repetitions of a call, so that only their caller can read them again.

The key is made from the caller's token, of which we store only a hash, and its `Idempotency-Key`. So nobody finds a
customer in the table of kept answers or in its backups. The answers to a revoked token can be read by nobody.
"""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from fastapi import Response

from use_cases.principal import Principal

_NONCE = 12
_KEPT_HEADERS = ("content-type", "content-language", "location", "preference-applied", "vary")


class OtherCaller(Exception):
    """The answer was given to the same login in another role, or for another partner."""


class AnswerCipher:
    """Encrypts and reads the answer to one caller's key."""

    def __init__(self, token: str, key: str, principal: Principal) -> None:
        made = HKDF(SHA256(), 64, salt=key.encode(), info=b"cmi kept answers").derive(
            token.encode()
        )
        self._cipher, self._mac_key = AESGCM(made[:32]), made[32:]
        self._bound_to = f"{principal.role}\n{principal.partner_id or ''}".encode()
        self.stored_key = hashlib.sha256(key.encode()).hexdigest()
        """The hash that is stored instead of the key, since a key may contain personal data."""

    def hash(self, content: bytes) -> str:
        """A hash of a request that says nothing about it without the token."""
        return hmac.new(self._mac_key, content, hashlib.sha256).hexdigest()

    def encrypt(self, response: Response | None) -> bytes:
        """The response, encrypted. None stands for a response that is shown only once: its content is not kept."""
        kept = None if response is None else _facts(response.body, response.headers)
        nonce = secrets.token_bytes(_NONCE)
        return nonce + self._cipher.encrypt(nonce, json.dumps(kept).encode(), self._bound_to)

    def decrypt(self, status: int, answer: bytes) -> Response | None:
        """The response again, byte for byte; None if it was shown once.

        Raises:
            OtherCaller: the login has another role or partner now.
        """
        try:
            plain = self._cipher.decrypt(answer[:_NONCE], answer[_NONCE:], self._bound_to)
        except InvalidTag:
            raise OtherCaller from None
        kept = json.loads(plain)
        if kept is None:
            return None
        return Response(base64.b64decode(kept["body"]), status, kept["headers"])


def _facts(body: bytes | memoryview, headers: Mapping[str, str]) -> dict[str, object]:
    return {
        "body": base64.b64encode(bytes(body)).decode(),
        "headers": {name: headers[name] for name in _KEPT_HEADERS if name in headers},
    }
