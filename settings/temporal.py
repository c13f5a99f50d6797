"""How processes reach Temporal: its standard variables, or a profile in its configuration file.

`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY` and `TEMPORAL_TLS…` overrule the profile `TEMPORAL_PROFILE`
of the file `TEMPORAL_CONFIG_FILE` (TOML), which is Temporal's own format for all its tools.
"""

import os
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from temporalio.envconfig import ClientConfig, ClientConnectConfig

from settings.policy_files import SettingsError

LOCAL_ADDRESS = "localhost:7233"
_FILE = "TEMPORAL_CONFIG_FILE"
_CERTIFICATE, _KEY = "TEMPORAL_TLS_CLIENT_CERT_PATH", "TEMPORAL_TLS_CLIENT_KEY_PATH"
_INSIDE = ("local", "internal", "svc", "lan", "localhost", "home.arpa")
"""Names below these are never public."""


def temporal_connection(env: Mapping[str, str] = os.environ) -> ClientConnectConfig:
    """The arguments of `Client.connect` for Temporal, with a target host. An empty variable counts as not set.

    Raises:
        SettingsError: a file is missing or wrong, the profile is unknown, or half of a client certificate is missing.
    """
    given = {name: value.strip() for name, value in env.items() if value.strip()}
    file = given.get(_FILE)
    if file is not None and not Path(file).is_file():  # the SDK would treat it as an empty file
        raise SettingsError(f"{_FILE}: {file}: no such file")
    try:
        config = ClientConfig.load_client_connect_config(override_env_vars=given)
    except OSError as error:
        variable = next((name for name, value in given.items() if value == error.filename), None)
        where = variable or f"the profile in {_FILE}"
        raise SettingsError(f"{where}: {error.filename}: {error.strerror}") from None
    except Exception as error:  # the SDK's own class is private
        # Only the first line: the others quote the file, which may contain a key.
        raise SettingsError(f"{_variable(str(error))}: {str(error).splitlines()[0]}") from None
    config.setdefault("target_host", LOCAL_ADDRESS)
    tls = config.get("tls")
    if tls and not isinstance(tls, bool) and bool(tls.client_cert) != bool(tls.client_private_key):
        missing, present = (_KEY, _CERTIFICATE) if tls.client_cert else (_CERTIFICATE, _KEY)
        raise SettingsError(f"{missing}: is needed beside {present}")
    return config


def is_encrypted(config: ClientConnectConfig) -> bool:
    """Whether the connection to Temporal has TLS."""
    return bool(config.get("tls"))


def is_local(config: ClientConnectConfig) -> bool:
    """Whether Temporal is on this machine."""
    return _host(config) in ("localhost", "127.0.0.1", "::1")


def is_inside(config: ClientConnectConfig) -> bool:
    """Whether Temporal's address can only be on this machine or in a private network: a name without a domain, as in
    Compose and Kubernetes, a name below a domain that is never public, or a private address."""
    host = _host(config)
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith(tuple(f".{domain}" for domain in _INSIDE))


def _host(config: ClientConnectConfig) -> str:
    host = urlsplit(f"//{config.get('target_host', LOCAL_ADDRESS)}").hostname or ""
    return host.rstrip(".")


def _variable(problem: str) -> str:
    if "Profile" in problem:
        return "TEMPORAL_PROFILE"
    if "TEMPORAL_" in problem:
        return "TEMPORAL_TLS"
    return _FILE
