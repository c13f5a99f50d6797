"""Reads the settings of a process from its environment variables `CMI_…`, once when it starts.

Temporal has its own standard variables (`TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE`, `TEMPORAL_API_KEY`,
`TEMPORAL_TLS…`), which `settings/temporal.py` reads.
"""

import difflib
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, SecretStr, ValidationError, model_validator

from contracts.messages import DisplaySettings
from domain.fields import TextLine
from domain.policies import Policies
from domain.policy import Policy
from domain.retention import Kind, parse_retention
from domain.settlements.lines import VatRates
from domain.settlements.uploads import Quota, parse_quota
from domain.values import Language
from settings.database import DatabaseSettings
from settings.fields import (
    BuildId,
    CaseInsensitive,
    ClamdAddress,
    DatabaseUrl,
    DeploymentName,
    EncryptionKeys,
    InvoiceQuota,
    MailAddress,
    RetentionDays,
    SecretKey,
    SmtpServer,
    SmtpUrl,
    VatRateList,
    WebUrl,
    parse_smtp_url,
    parse_vat_rates,
)
from settings.http import HttpSettings
from settings.logins import LoginSettings
from settings.policy_files import PREFIX, SettingsError, read_folder, read_policy
from settings.telemetry import TelemetrySettings
from settings.worker_slots import WorkerSlots


class Settings(LoginSettings, HttpSettings, DatabaseSettings, TelemetrySettings, WorkerSlots):
    """Everything that differs between installations. A field is read from the variable `CMI_` + its name.

    Fields that may hold a password are not in the `repr`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    database_url: DatabaseUrl = Field(
        "sqlite+aiosqlite:///var/cmi.db",
        repr=False,
        description="the records: postgresql://user:password@host/name, or sqlite:///path for one machine",
    )
    smtp_url: SmtpUrl = Field(
        "smtp://localhost:2525",
        repr=False,
        description="mail server: smtp://, smtp+starttls:// or smtps://, then [user:password@]host[:port]",
    )
    mail_from: MailAddress = Field(
        "CMI <cmi@localhost>",
        description="sender of every mail; partners see CMI_COMPANY_NAME as its name",
    )
    appointment_mails: bool = Field(
        True,
        description="on: partners get appointments by mail for their calendars; off: only to download",
    )
    offline_pages: bool = Field(
        True,
        description="on: partners' phones keep pages and unsent forms; off: they forget the pages",
    )
    mail_operations: MailAddress = Field(
        "service-partner@localhost",
        description="the service-partner team: escalations, reviews, alarms",
    )
    messages_reply_to: MailAddress | None = Field(
        None,
        description="where replies to mails about messages go; none: these mails say to answer on the page",
    )
    mail_accounting: MailAddress = Field(
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
    vat_rates: VatRateList = Field(
        "2018-01-01=7.7,2024-01-01=8.1",
        description="VAT in percent, each rate with the day from which it holds",
    )
    operations_language: Annotated[Language, CaseInsensitive] = Field(
        "de",
        description="language of mails to operations and accounting, and of the Temporal UI: de, fr, it, en",
    )
    policy: Path | None = Field(
        None, description="TOML file with deadlines and office hours; none: the standard policy"
    )
    policies: Path | None = Field(
        None,
        description="folder of further policies, NAME.toml each, that partners may have by name; none: there are none",
    )
    warehouse_url: WebUrl | None = Field(
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
    mail_dir: Path | None = Field(
        None,
        description="folder where a mail server of this machine keeps mails (*.eml): erasures delete some of them",
    )
    shop_webhook_url: WebUrl | None = Field(
        None,
        description="where the shop's notices are POSTed: rejected requirements, cancellations; none: they are not",
    )
    shop_webhook_token: SecretStr | None = Field(
        None, description="bearer token for CMI_SHOP_WEBHOOK_URL"
    )
    shop_email: MailAddress | None = Field(
        None, description="where the shop's notices are mailed; none: they are not"
    )
    public_url: WebUrl = Field(
        "http://localhost:8000",
        description="address of the CMI as partners see it, for links in mails",
    )
    temporal_ui_url: WebUrl = Field(
        "http://localhost:8233", description="address of the Temporal UI, for links to a workflow"
    )
    production: bool = Field(
        False,
        description="on: web processes and workers do not start with what must not be in production, and say it",
    )
    encryption_keys: EncryptionKeys | None = Field(
        None,
        repr=False,
        description="keys that encrypt what Temporal stores, id:key[,id:key…], the first for what is new;"
        " none: it is stored as it is",
    )
    encryption_accept_plain: bool = Field(
        False,
        description="on: what is not encrypted is read as well, while orders still run that began without keys",
    )
    secret_key: SecretKey | None = Field(
        None,
        repr=False,
        description="at least 32 random characters that encrypt what logins' second factors need;"
        " none: no second factor can be set up",
    )
    clamd: ClamdAddress | None = Field(
        None,
        description="ClamAV's daemon, which checks uploaded invoices and photos: unix:/path or tcp:host:port;"
        " none: they are not checked for viruses",
    )
    log_level: Annotated[Literal["debug", "info", "warning", "error"], CaseInsensitive] = Field(
        "info", description="how much is logged: debug, info, warning, error"
    )
    log_format: Annotated[Literal["text", "json"], CaseInsensitive] = Field(
        "text", description="text for people, json (one object a line) for collectors"
    )
    worker_liveness_file: Path | None = Field(
        None,
        description="a file that a worker touches every few seconds while it is healthy; none: no such file",
    )
    max_cached_workflows: int = Field(
        10_000,
        ge=1,
        description="workflows a worker keeps in memory (about 83 KB each); best above the number of open orders",
    )
    sandbox: bool = Field(
        False,
        description="on: workflows run in the SDK's sandbox (as in their tests); costs a third of the throughput",
    )
    drain_seconds: float = Field(
        20,
        ge=0,
        le=3600,
        description="how long a worker that is told to stop lets running activities finish",
    )

    outage_after: float = Field(
        15,
        gt=0,
        le=1440,
        description="minutes of office time without any worker, or any web process, that count as an outage;"
        " deadlines are put off by it",
    )

    deployment_name: DeploymentName | None = Field(
        None,
        description="Worker Versioning: the name of the deployment that all builds of the workers belong to,"
        " with CMI_BUILD_ID; none: off",
    )
    build_id: BuildId | None = Field(
        None,
        description="Worker Versioning: the build that this worker runs, such as a version or a commit",
    )

    invoice_quota: InvoiceQuota = Field(
        "",
        description="what a partner may upload in 24 hours, kind=number[,kind=number…], where it differs from"
        " files=60,megabytes=200,checks=10; 0: no limit",
    )
    retention: RetentionDays = Field(
        "",
        description="days that data are kept, kind=days[,kind=days…], where they differ from docs/data-protection.md",
    )

    @model_validator(mode="after")
    def _check_build(self) -> "Settings":
        if self.deployment_name is None and self.build_id is not None:
            raise ValueError(f"{PREFIX}BUILD_ID: needs {PREFIX}DEPLOYMENT_NAME beside it")
        if self.build_id is None and self.deployment_name is not None:
            raise ValueError(f"{PREFIX}DEPLOYMENT_NAME: needs {PREFIX}BUILD_ID beside it")
        return self

    @property
    def smtp(self) -> SmtpServer:
        """The parts of `smtp_url`."""
        return parse_smtp_url(self.smtp_url)

    @property
    def vat_percentages(self) -> VatRates:
        """The rates of `vat_rates`, the earliest first."""
        return parse_vat_rates(self.vat_rates)

    @property
    def retention_spans(self) -> Mapping[Kind, timedelta]:
        """How long each kind of data is kept."""
        return parse_retention(self.retention)

    @property
    def quota(self) -> Quota:
        """What a partner may upload."""
        return parse_quota(self.invoice_quota)

    @property
    def display(self) -> DisplaySettings:
        """What a workflow needs to make texts and links."""
        return DisplaySettings(public_url=self.public_url, language=self.operations_language)

    @property
    def drain(self) -> timedelta:
        """`drain_seconds` as a span of time."""
        return timedelta(seconds=self.drain_seconds)

    def load_policy(self) -> Policy:
        """The policy in the file `policy`, or the standard policy if none is named.

        Raises:
            SettingsError: the file cannot be read, or is no policy.
        """
        return Policy() if self.policy is None else read_policy("POLICY", self.policy)

    def load_policies(self) -> Policies:
        """The policy of `load_policy`, and those in the folder `policies` by the names of their files.

        Raises:
            SettingsError: the folder cannot be read, a file has no possible name, or one of them is no policy.
        """
        return Policies(self.load_policy(), read_folder("POLICIES", self.policies))

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """The settings in `env`. An empty variable counts as not set.

        Other variables that begin with `CMI_` are ignored, since Kubernetes sets names such as `CMI_WEB_PORT`.

        Raises:
            SettingsError: a value is wrong, or a name is nearly that of a setting. A misspelt name would otherwise
                silently mean the default.
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
            # `from None`: pydantic's error shows the values.
            raise SettingsError("; ".join(_explain(each) for each in error.errors())) from None

    @classmethod
    def variables(cls) -> list[tuple[str, str, str]]:
        """Name, default and meaning of each variable, as README.md lists them."""
        return [
            (PREFIX + field.upper(), _default_text(info.default), info.description or "")
            for field, info in sorted(
                cls.model_fields.items(), key=lambda each: each[0] in LoginSettings.model_fields
            )
        ]


def _default_text(default: object) -> str:
    if default is None:
        return ""
    if isinstance(default, bool):
        return "on" if default else "off"
    return str(default)


def _explain(error: Any) -> str:
    """One error of pydantic as text, without a value that may be secret."""
    if not error["loc"]:  # it concerns several settings, and its text names them
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
