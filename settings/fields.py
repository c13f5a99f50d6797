"""The types of settings: what a variable may hold, and how it is parsed.

A validator raises `ValueError` with what is expected, without the value: it may be secret.
"""

import re
from datetime import date
from decimal import Decimal, InvalidOperation
from email.utils import parseaddr
from ipaddress import ip_network
from typing import Annotated, Literal
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr

from contracts.keys import parse_keys
from domain.retention import parse_retention
from domain.settlements.lines import VatRate, VatRates
from domain.settlements.uploads import parse_quota

_SHORTEST_SECRET_KEY = 32


class SmtpServer(BaseModel):
    """The mail server that `CMI_SMTP_URL` names."""

    model_config = ConfigDict(frozen=True)

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    """`none`: not encrypted. `starttls`: encrypted after the greeting. `tls`: encrypted from the start."""
    username: str | None = None
    password: SecretStr | None = None


_SMTP_SCHEMES: dict[str, tuple[Literal["none", "starttls", "tls"], int]] = {
    "smtp": ("none", 25),
    "smtp+starttls": ("starttls", 587),
    "smtps": ("tls", 465),
}
_DATABASE_DRIVERS = {
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
}


def _database_url(value: str) -> str:
    """The URL with the name of the async driver, as SQLAlchemy expects it."""
    scheme, separator, rest = value.partition("://")
    driver = _DATABASE_DRIVERS.get(scheme.lower())
    if not separator or driver is None:
        raise ValueError("must begin with postgresql:// or sqlite:///")
    if driver.startswith("sqlite"):
        if not rest.startswith("/"):
            raise ValueError("must be sqlite:///relative/path or sqlite:////absolute/path")
        return f"{driver}://{rest}"
    # The URLs of hosted databases say `sslmode`, as libpq does; asyncpg calls it `ssl`.
    return f"{driver}://" + re.sub(r"([?&])sslmode=", r"\1ssl=", rest)


def parse_smtp_url(value: str) -> SmtpServer:
    """The parts of `CMI_SMTP_URL`. Raises `ValueError` with what is expected."""
    expected = "must be smtp://, smtp+starttls:// or smtps://, then [user:password@]host[:port]"
    try:
        url = urlsplit(value)
        port = url.port
    except ValueError:
        raise ValueError(expected) from None
    if (
        url.scheme not in _SMTP_SCHEMES
        or not url.hostname
        or url.path.strip("/")
        or url.query
        or url.fragment
    ):
        raise ValueError(expected)
    security, standard_port = _SMTP_SCHEMES[url.scheme]
    return SmtpServer(
        host=url.hostname,
        port=standard_port if port is None else port,
        security=security,
        username=unquote(url.username) if url.username else None,
        password=SecretStr(unquote(url.password)) if url.password else None,
    )


def _smtp_url(value: str) -> str:
    parse_smtp_url(value)
    return value


def _web_url(value: str) -> str:
    expected = "must be http:// or https://, then a host"
    try:
        url = urlsplit(value)
        _ = url.port  # raises ValueError if it is not a port
    except ValueError:
        raise ValueError(expected) from None
    if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
        raise ValueError(expected)
    return value.rstrip("/")


def _mail_address(value: str) -> str:
    local, at, domain = parseaddr(value)[1].rpartition("@")
    if not (local and at and domain) or not value.isprintable():
        raise ValueError("must be a mail address, like cmi@example.ch or CMI <cmi@example.ch>")
    return value


def _encryption_keys(value: SecretStr) -> SecretStr:
    parse_keys(value.get_secret_value())
    return value


def _secret_key(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < _SHORTEST_SECRET_KEY:
        raise ValueError(f"must have at least {_SHORTEST_SECRET_KEY} random characters")
    return value


def _clamd(value: str) -> str:
    kind, _, where = value.partition(":")
    host, _, port = where.rpartition(":")
    if kind == "unix" and where.startswith("/"):
        return value
    if kind == "tcp" and host and port.isdecimal() and 0 < int(port) < 65536:
        return value
    raise ValueError("must be unix:/path/of/the/socket or tcp:host:port")


def _networks(value: str) -> str:
    for part in filter(None, map(str.strip, value.split(","))):
        try:
            ip_network(part, strict=False)
        except ValueError:
            raise ValueError(
                "must be IP addresses or networks, like 10.0.0.0/8,192.168.1.5"
            ) from None
    return value


def parse_vat_rates(value: str) -> VatRates:
    """The rates of `CMI_VAT_RATES`, the earliest first. Raises `ValueError` with what is expected."""
    expected = "must be day=percent pairs, like 2018-01-01=7.7,2024-01-01=8.1"
    rates = []
    for part in filter(None, map(str.strip, value.split(","))):
        since, _, percent = part.partition("=")
        try:
            rates.append(VatRate(since=date.fromisoformat(since), percent=Decimal(percent)))
        except (ValueError, InvalidOperation):
            raise ValueError(expected) from None
    if not rates or len({rate.since for rate in rates}) < len(rates):
        raise ValueError(expected)
    return tuple(sorted(rates, key=lambda rate: rate.since))


def _vat_rates(value: str) -> str:
    parse_vat_rates(value)
    return value


def _deployment_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", value):
        raise ValueError("must be letters, digits, - and _, 63 at the most")
    return value


def _build_id(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}", value):
        raise ValueError("must be letters, digits, and . _ + -, 63 at the most")
    return value


def parse_listen_address(text: str) -> tuple[str, int]:
    """Host and port of `port`, `:port`, `host:port` or `[host]:port`; this machine's own address without a host.

    Raises `ValueError` for anything else.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (port.isascii() and port.isdigit() and 0 < int(port) <= 65535) or " " in host:
        raise ValueError("must be a port, or host:port")
    return host or "127.0.0.1", int(port)


def _listen_address(text: str) -> str:
    parse_listen_address(text)
    return text


def _retention(text: str) -> str:
    parse_retention(text)
    return text


def _invoice_quota(text: str) -> str:
    parse_quota(text)
    return text


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


DatabaseUrl = Annotated[str, AfterValidator(_database_url)]
SmtpUrl = Annotated[str, AfterValidator(_smtp_url)]
ClamdAddress = Annotated[str, AfterValidator(_clamd)]
WebUrl = Annotated[str, AfterValidator(_web_url)]
MailAddress = Annotated[str, AfterValidator(_mail_address)]
VatRateList = Annotated[str, AfterValidator(_vat_rates)]
RetentionDays = Annotated[str, AfterValidator(_retention)]
InvoiceQuota = Annotated[str, AfterValidator(_invoice_quota)]
EncryptionKeys = Annotated[SecretStr, AfterValidator(_encryption_keys)]
SecretKey = Annotated[SecretStr, AfterValidator(_secret_key)]
ListenAddress = Annotated[str, AfterValidator(_listen_address)]
Networks = Annotated[str, AfterValidator(_networks)]
DeploymentName = Annotated[str, AfterValidator(_deployment_name)]
BuildId = Annotated[str, AfterValidator(_build_id)]
CaseInsensitive = BeforeValidator(_lower)
"""In an `Annotated` type: the value is read in lower case."""
