"""Pseudonyms of accounts and network addresses, by which traces can be compared without naming anybody."""

import hmac
import secrets

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from records.accounts import email_key
from settings import Settings
from use_cases.addresses import ip_of, network_of

_IPV4_NETWORK, _IPV6_NETWORK = 24, 48  # bits


class Pseudonyms:
    """HMAC-SHA-256 with a key that is derived from `CMI_SECRET_KEY`.

    Without `CMI_SECRET_KEY` each process has a random key: after a restart the same account has another pseudonym.
    """

    def __init__(self, settings: Settings) -> None:
        key = settings.secret_key
        derived = HKDF(hashes.SHA256(), 32, salt=None, info=b"cmi security events 1")
        self._key = (
            derived.derive(key.get_secret_value().encode()) if key else secrets.token_bytes(32)
        )

    def account(self, name: str) -> str:
        """The pseudonym of an e-mail address, or of the id of a login or token; empty for an empty name."""
        return self._of("account", email_key(name)) if name else ""

    def address(self, address: str) -> str:
        """The pseudonym of a network address; empty for an empty one."""
        return self._of("address", address) if address else ""

    def network(self, address: str) -> str:
        """The pseudonym of the network of an address: /24 of IPv4, /48 of IPv6. Empty for a text that is no address."""
        if (ip := ip_of(address)) is None:
            return ""
        length = _IPV4_NETWORK if ip.version == 4 else _IPV6_NETWORK
        return self._of("network", network_of(ip, length))

    def _of(self, what: str, text: str) -> str:
        whole = f"{what}\0{text}".encode("utf-8", "replace")
        return hmac.digest(self._key, whole, "sha256").hex()[:32]
