"""The expiry dates of the certificates that the settings for Temporal and PostgreSQL name.

Temporal's certificates are read once, at the start, like the connection reads them. PostgreSQL's are read each time,
like each new connection reads them.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from cryptography.x509 import load_pem_x509_certificates

from settings.temporal import temporal_connection

_Ends = Mapping[str, datetime]
_Choice = Callable[[Iterable[datetime]], datetime]
_POSTGRESQL: tuple[tuple[str, str, _Choice], ...] = (
    ("postgresql_client", "PGSSLCERT", min),
    ("postgresql_authority", "PGSSLROOTCERT", max),
)


class Certificates:
    """The certificates of this process.

    They are named `temporal_client`, `temporal_authority`, `postgresql_client` and `postgresql_authority`.

    A client's certificate expires with the first certificate of its chain. A file of authorities may have an old one
    beside a new one, so it expires with the last. A certificate that is not set, or cannot be read, is left out: the
    connection reports it.

    Raises:
        SettingsError: what is set for Temporal is wrong.
    """

    def __init__(self, env: Mapping[str, str] = os.environ) -> None:
        self._env = env
        tls = temporal_connection(env).get("tls")
        self._temporal: dict[str, datetime] = {}
        if tls and not isinstance(tls, bool):
            self._temporal = {
                **_end("temporal_client", tls.client_cert, min),
                **_end("temporal_authority", tls.server_root_ca_cert, max),
            }

    def ends(self) -> _Ends:
        """When each certificate expires, by its name."""
        return {
            **self._temporal,
            **{
                name: end
                for certificate, variable, choose in _POSTGRESQL
                for name, end in _end(certificate, self._file(variable), choose).items()
            },
        }

    def _file(self, variable: str) -> bytes | None:
        path = self._env.get(variable, "").strip()
        try:
            return Path(path).read_bytes() if path else None
        except OSError:
            return None


def _end(name: str, pem: bytes | None, choose: _Choice) -> _Ends:
    try:
        found = load_pem_x509_certificates(pem) if pem else []
    except ValueError:
        return {}
    return {name: choose(each.not_valid_after_utc for each in found)} if found else {}
