"""What a process of CMI is told by its environment: `CMI_…`, read once at its start.

Temporal is not in here: it is reached by its own standard variables (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`,
`TEMPORAL_API_KEY`, `TEMPORAL_TLS…`), through `temporalio.envconfig.ClientConfig.load_client_connect_config()`.
"""

import difflib
import os
import re
from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from email.utils import parseaddr
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import unquote, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)

from contracts.encryption import parse_keys
from domain.fields import TextLine
from domain.policy import Policy, load_policy
from domain.settlements.settlement import VatRate, VatRates
from domain.values import Language

PREFIX = "CMI_"
_SHORTEST_SECRET_KEY = 32


class SettingsError(ValueError):
    """The environment is wrong. Its text is one line that names the variable and says what is expected."""


class SmtpServer(BaseModel):
    """Where mail is handed in, taken apart from `CMI_SMTP_URL`."""

    model_config = ConfigDict(frozen=True)

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    """`none` as it is, `starttls` encrypted after the greeting, `tls` encrypted from the start."""
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
    """The URL with the name of the async driver, as SQLAlchemy wants it."""
    scheme, separator, rest = value.partition("://")
    driver = _DATABASE_DRIVERS.get(scheme.lower())
    if not separator or driver is None:
        raise ValueError("must begin with postgresql:// or sqlite:///")
    if driver.startswith("sqlite"):
        if not rest.startswith("/"):
            raise ValueError("must be sqlite:///relative/path or sqlite:////absolute/path")
        return f"{driver}://{rest}"
    # libpq's name for it, which every hosted database hands out, is `ssl` to asyncpg
    return f"{driver}://" + re.sub(r"([?&])sslmode=", r"\1ssl=", rest)


def _parse_smtp_url(value: str) -> SmtpServer:
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
    _parse_smtp_url(value)
    return value


def _web_url(value: str) -> str:
    expected = "must be http:// or https://, then a host"
    try:
        url = urlsplit(value)
        _ = url.port  # raises for what is not a port
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


def _networks(value: str) -> str:
    for part in filter(None, map(str.strip, value.split(","))):
        try:
            ip_network(part, strict=False)
        except ValueError:
            raise ValueError(
                "must be IP addresses or networks, like 10.0.0.0/8,192.168.1.5"
            ) from None
    return value


def _parse_vat_rates(value: str) -> VatRates:
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
    _parse_vat_rates(value)
    return value


def _version_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}", value):
        raise ValueError("must be letters, digits, - and _, 63 at the most")
    return value


def _build_id(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,62}", value):
        raise ValueError("must be letters, digits, and . _ + -, 63 at the most")
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


_WebUrl = Annotated[str, AfterValidator(_web_url)]
_MailAddress = Annotated[str, AfterValidator(_mail_address)]


class Settings(BaseModel):
    """Everything that differs between one installation and the next. A field is the variable `CMI_` + its name.

    What may hold a password is not in the `repr`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    database_url: Annotated[str, AfterValidator(_database_url)] = Field(
        "sqlite+aiosqlite:///var/cmi.db",
        repr=False,
        description="the records: postgresql://user:password@host/name, or sqlite:///path for one machine",
    )
    smtp_url: Annotated[str, AfterValidator(_smtp_url)] = Field(
        "smtp://localhost:2525",
        repr=False,
        description="mail server: smtp://, smtp+starttls:// or smtps://, then [user:password@]host[:port]",
    )
    mail_from: _MailAddress = Field("CMI <cmi@localhost>", description="sender of every mail")
    mail_operations: _MailAddress = Field(
        "service-partner@localhost",
        description="the service-partner team: escalations, reviews, alarms",
    )
    mail_accounting: _MailAddress = Field(
        "accounting@localhost", description="accounting: receives the partners' invoices"
    )
    company_name: TextLine = Field(
        "Muster Handel AG",
        description="the retailer, as settlement statements show it and partners' invoices address it",
    )
    company_department: TextLine = Field(
        "Kreditorenbuchhaltung", description="the second line of that address"
    )
    company_street: TextLine = Field("Musterstrasse 1", description="its street and number")
    company_postal_code: TextLine = Field("8005", description="its postal code")
    company_city: TextLine = Field("Zürich", description="its town")
    vat_rates: Annotated[str, AfterValidator(_vat_rates)] = Field(
        "2018-01-01=7.7,2024-01-01=8.1",
        description="VAT in percent, each rate with the day from which it holds",
    )
    operations_language: Annotated[Language, BeforeValidator(_lower)] = Field(
        "de",
        description="language of mails to operations and accounting, and of the Temporal UI: de, fr, it, en",
    )
    policy: Path | None = Field(
        None, description="TOML file with deadlines and office hours; none: the standard policy"
    )
    warehouse_url: _WebUrl | None = Field(
        None,
        description="where shipping requests are POSTed; none: they are written to CMI_WAREHOUSE_DIR",
    )
    warehouse_token: SecretStr | None = Field(
        None, description="bearer token for CMI_WAREHOUSE_URL"
    )
    warehouse_dir: Path = Field(
        Path("var/warehouse"),
        description="folder for shipping requests where there is no CMI_WAREHOUSE_URL",
    )
    public_url: _WebUrl = Field(
        "http://localhost:8000",
        description="address of the CMI as partners see it, for links in mails",
    )
    temporal_ui_url: _WebUrl = Field(
        "http://localhost:8233", description="address of the Temporal UI, for links to a workflow"
    )
    encryption_keys: Annotated[SecretStr, AfterValidator(_encryption_keys)] | None = Field(
        None,
        repr=False,
        description="keys that encrypt what Temporal stores, id:key[,id:key…], the first for what is new;"
        " none: it is stored as it is",
    )
    secret_key: Annotated[SecretStr, AfterValidator(_secret_key)] | None = Field(
        None,
        repr=False,
        description="at least 32 random characters that encrypt what logins' second factors need;"
        " none: no second factor can be set up",
    )
    http_host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="address the web application listens on; 0.0.0.0 behind a proxy or in a container",
    )
    http_port: int = Field(8000, ge=0, le=65535, description="port the web application listens on")
    trusted_proxies: Annotated[str, AfterValidator(_networks)] = Field(
        "",
        description="addresses or networks, comma-separated, whose X-Forwarded-For and -Proto are believed",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = (
        Field("info", description="how much is logged: debug, info, warning, error")
    )
    log_format: Annotated[Literal["text", "json"], BeforeValidator(_lower)] = Field(
        "text", description="text for people, json (one object a line) for collectors"
    )
    worker_liveness_file: Path | None = Field(
        None,
        description="a file that a worker touches every few seconds while it is well; none: no such file",
    )
    max_cached_workflows: int = Field(
        10_000,
        ge=1,
        description="workflows a worker keeps in memory (about 83 KB each); best above the number of open orders",
    )
    sandbox: bool = Field(
        False,
        description="on: workflows run in the SDK's sandbox (tests always do); costs a third of the throughput",
    )
    drain_seconds: float = Field(
        20,
        ge=0,
        le=3600,
        description="how long a worker that is told to stop lets running activities finish",
    )

    deployment_name: Annotated[str, AfterValidator(_version_name)] | None = Field(
        None,
        description="Worker Versioning: the name of the deployment that all builds of the workers belong to,"
        " with CMI_BUILD_ID; none: off",
    )
    build_id: Annotated[str, AfterValidator(_build_id)] | None = Field(
        None,
        description="Worker Versioning: the build that this worker runs, such as a version or a commit",
    )

    @model_validator(mode="after")
    def _name_a_build_whole(self) -> "Settings":
        if self.deployment_name is None and self.build_id is not None:
            raise ValueError(f"{PREFIX}BUILD_ID: needs {PREFIX}DEPLOYMENT_NAME beside it")
        if self.build_id is None and self.deployment_name is not None:
            raise ValueError(f"{PREFIX}DEPLOYMENT_NAME: needs {PREFIX}BUILD_ID beside it")
        return self

    @property
    def smtp(self) -> SmtpServer:
        """`smtp_url`, taken apart."""
        return _parse_smtp_url(self.smtp_url)

    @property
    def vat_percentages(self) -> VatRates:
        """`vat_rates`, taken apart, the earliest first."""
        return _parse_vat_rates(self.vat_rates)

    @property
    def drain(self) -> timedelta:
        """`drain_seconds` as the SDK wants it."""
        return timedelta(seconds=self.drain_seconds)

    def load_policy(self) -> Policy:
        """The policy of the file `policy`, or the standard one.

        Raises `SettingsError` if the file cannot be read or used.
        """
        if self.policy is None:
            return Policy()
        try:
            return load_policy(self.policy.read_text(encoding="utf-8"))
        except OSError as error:
            raise SettingsError(f"{PREFIX}POLICY: {self.policy}: {error.strerror}") from None
        except ValueError as error:
            raise SettingsError(f"{PREFIX}POLICY: {self.policy}: {error}") from None

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """The settings in `env`. A variable that is empty counts as not set.

        Raises `SettingsError` for a value that cannot be, and for a name that is nearly one of these: a typing error
        there would quietly mean the default. Other names are left alone (Kubernetes sets `CMI_WEB_PORT` and the like).
        """
        names = {PREFIX + field.upper(): field for field in cls.model_fields}
        for name in env:
            if name.startswith(PREFIX) and name not in names:
                meant = difflib.get_close_matches(name, names, n=1, cutoff=0.9)
                if meant:
                    raise SettingsError(f"{name} is not known; {meant[0]} is meant?")
        values = {
            field: env[name].strip() for name, field in names.items() if env.get(name, "").strip()
        }
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            # not chained: the original shows the values
            raise SettingsError("; ".join(_explain(each) for each in error.errors())) from None

    @classmethod
    def variables(cls) -> list[tuple[str, str, str]]:
        """Name, default and meaning of each variable, as the README lists them."""
        return [
            (PREFIX + field.upper(), _default_text(info.default), info.description or "")
            for field, info in cls.model_fields.items()
        ]


def _default_text(default: object) -> str:
    if default is None:
        return ""
    if isinstance(default, bool):
        return "on" if default else "off"
    return str(default)


def _explain(error: Any) -> str:
    """One error of pydantic's in words, without a value that may be secret."""
    if not error["loc"]:  # of several settings together: it names them itself
        return str(error["ctx"]["error"])
    field = str(error["loc"][0])
    if error["type"] == "value_error":
        problem = str(error["ctx"]["error"])
    elif error["type"] == "bool_parsing":
        problem = "must be on or off"
    else:
        problem = error["msg"].replace("Input should be", "must be").partition(", unable")[0]
    value = error["input"]
    if Settings.model_fields[field].repr and isinstance(value, str):
        problem += f", not {value!r}"
    return f"{PREFIX}{field.upper()}: {problem}"
