"""Codes of an authenticator app (TOTP, RFC 6238), recovery codes, and the encryption of an app's secret."""

import base64
import os
import re
import secrets
from datetime import datetime

import pyotp
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pyotp.exceptions import OTPVerificationError

_ISSUER = "CMI"
_NONCE_BYTES = 12
_FORMAT = "1:"
_WINDOW = 1  # steps of 30 seconds before and after, because the clocks of phones differ
_RECOVERY_CODES = 10
_RECOVERY_BYTES = 10  # 80 bits, 16 characters


class SecretBox:
    """Encrypts a user's TOTP secret under a key that is derived from `CMI_SECRET_KEY`."""

    def __init__(self, secret_key: str) -> None:
        derived = HKDF(hashes.SHA256(), 32, salt=None, info=b"cmi totp 1")
        self._aead = AESGCM(derived.derive(secret_key.encode()))

    def close(self, secret: str, owner: str) -> str:
        """Encrypt a secret. The result can be decrypted for this owner only: a user, or one session of it."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._aead.encrypt(nonce, secret.encode(), owner.encode())
        return _FORMAT + base64.b64encode(sealed).decode()

    def open(self, kept: str, owner: str) -> str | None:
        """Decrypt a secret; None if it was encrypted under another key, or for another owner."""
        sealed = base64.b64decode(kept.removeprefix(_FORMAT))
        try:
            opened = self._aead.decrypt(
                sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], owner.encode()
            )
        except InvalidTag:
            return None
        return opened.decode()


def new_secret() -> str:
    """A secret for an authenticator app."""
    return pyotp.random_base32()


def provisioning_uri(secret: str, email: str) -> str:
    """The `otpauth://` address of a secret, to be shown as a QR code."""
    return pyotp.TOTP(secret, name=email, issuer=_ISSUER).provisioning_uri()


def step_of(secret: str, code: str, now: datetime) -> int | None:
    """The time step of a code; None if the code is wrong or not current."""
    digits = re.sub(r"\s", "", code)
    if not re.fullmatch(r"\d{6}", digits, re.ASCII):
        return None
    try:
        return pyotp.TOTP(secret).verify_and_get_timecode(
            digits, for_time=now, valid_window=_WINDOW
        )
    except OTPVerificationError:
        return None


def new_recovery_codes() -> list[str]:
    """New recovery codes in the form `ABCD-EFGH-IJKL-MNOP`. Each replaces a code of the app once."""
    codes = []
    for _ in range(_RECOVERY_CODES):
        text = base64.b32encode(secrets.token_bytes(_RECOVERY_BYTES)).decode()
        codes.append("-".join(re.findall("....", text)))
    return codes


def plain_recovery_code(code: str) -> str:
    """A recovery code in normal form: without the separators and differences in case of typed input."""
    return re.sub(r"[\W_]", "", code).upper()
