"""Findings with which web processes and workers do not start if `CMI_PRODUCTION=on` (table in docs/operations.md)."""

import ipaddress
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from email.utils import parseaddr
from enum import Enum
from itertools import chain
from typing import Literal, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from contracts.keys import parse_keys
from settings.environment import Settings
from settings.policy_files import PREFIX
from settings.temporal import is_encrypted, is_inside, temporal_connection

Process = Literal["web", "worker"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_RESERVED = ("localhost", "example", "test", "invalid")
_RESERVED_DOMAINS = ("example.com", "example.net", "example.org")
_KNOWN = frozenset(
    (
        *("admin", "changeit", "changeme", "cmi", "default", "dev", "letmein", "postgres"),
        *("postgresql", "root", "temporal", "test", "token", "welcome"),
    )
)
_WORDS = re.compile(r"change.?me|development|example|password|passwort|secret|insecure", re.I)
_SHORTEST_PASSWORD = 12
_FEWEST_BYTES = 16
"""The fewest different bytes in a key of 32 bytes. A random key has fewer once in 10^14 keys."""
_FEWEST_CHARACTERS = 8
"""The fewest different characters in a secret key. 32 random hexadecimal digits have fewer once in 10^7 keys."""
_WIDEST = {4: 8, 6: 7}
"""The shortest prefixes of a trusted network: those of 10.0.0.0/8 and fc00::/7."""
_IPV4_IN_IPV6 = ipaddress.IPv6Network("::ffff:0:0/96")


class Finding(Enum):
    """Something that must not be in production: where, what is wrong, what to do instead."""

    PUBLIC_HTTP = (
        "CMI_PUBLIC_URL",
        "is http, so that cookies and passwords can be read on their way",
        "give the address of a proxy that speaks https",
    )
    UI_HTTP = (
        "CMI_TEMPORAL_UI_URL",
        "is http and not on this machine, and that site is shown what is encrypted",
        "give an address with https",
    )
    WAREHOUSE_HTTP = (
        "CMI_WAREHOUSE_URL",
        "is http, and customers' addresses are sent there",
        "give an address with https",
    )
    SHOP_HTTP = (
        "CMI_SHOP_WEBHOOK_URL",
        "is http, and notices of orders are sent there",
        "give an address with https",
    )
    NO_KEYS = (
        "CMI_ENCRYPTION_KEYS",
        "is not set, so that Temporal stores customers' data as they are and takes anybody's commands",
        "make a key with `python -m contracts.encryption new-key`",
    )
    WEAK_KEYS = (
        "CMI_ENCRYPTION_KEYS",
        "has a key that is not random",
        "make a key with `python -m contracts.encryption new-key`",
    )
    PLAIN = (
        "CMI_ENCRYPTION_ACCEPT_PLAIN",
        "is on, so that whoever reaches Temporal can command orders without a key",
        "switch it off; orders that began without keys have to end first",
    )
    NO_SECRET_KEY = (
        "CMI_SECRET_KEY",
        "is not set, so that no second factor can be set up and traces cannot be compared",
        "set 32 or more random characters, in web processes only",
    )
    WEAK_SECRET_KEY = (
        "CMI_SECRET_KEY",
        "is not random",
        "set 32 or more random characters, in web processes only",
    )
    DATABASE_PASSWORD = (
        "CMI_DATABASE_URL",
        "has a password that is known or has fewer than 12 characters",
        "give the database role a random password",
    )
    DATABASE_ROLE = (
        "CMI_DATABASE_URL",
        "has a role that may change tables: a superuser, their owner, or one that may make new ones",
        "use the role for the application of `scripts/postgresql_roles.sql`, and the owner for migrations only",
    )
    SAMPLE_LOGINS = (
        "CMI_DATABASE_URL",
        "has logins with sample addresses, such as `make run` makes",
        "begin with an empty database",
    )
    FACTOR_EXEMPT = (
        "CMI_FACTOR_EXEMPT",
        "lets logins of operations or accounting do without a second factor",
        "take it out",
    )
    SMTP_PLAIN = (
        "CMI_SMTP_URL",
        "sends a password unencrypted",
        "use smtps:// or smtp+starttls://",
    )
    SMTP_PASSWORD = (
        "CMI_SMTP_URL",
        "has a password that is known",
        "have the mail server give you another one",
    )
    TOKENS = (
        "CMI_WAREHOUSE_TOKEN, CMI_SHOP_WEBHOOK_TOKEN",
        "is a token that is known or has fewer than 12 characters",
        "have the other side give you a random one",
    )
    MAIL_ADDRESSES = (
        "CMI_MAIL_FROM, CMI_MAIL_OPERATIONS, CMI_MAIL_ACCOUNTING",
        "is an address of this machine or a sample",
        "give one that people read",
    )
    COMPANY = (
        "CMI_COMPANY_NAME",
        "is the sample company, to which partners would address their invoices",
        "give yours, with its address in the other variables CMI_COMPANY_…",
    )
    PROXIES = (
        "CMI_TRUSTED_PROXIES",
        "trusts everybody, or far more than a network of yours, so that callers choose their own address",
        "name the addresses of your proxies",
    )
    TEMPORAL_PLAIN = (
        "TEMPORAL_API_KEY",
        "is sent unencrypted, since TEMPORAL_TLS is off",
        "take TEMPORAL_TLS out",
    )
    TEMPORAL_OUTSIDE = (
        "TEMPORAL_ADDRESS",
        "is outside of your network and reached without TLS, so that others can read and change what is sent",
        "set TEMPORAL_TLS=true, a client certificate or an API key",
    )
    SANDBOX = (
        "this machine",
        "cannot confine the processes that read foreign files",
        "use a Linux with Landlock and libseccomp, and a container that lets them be used",
    )

    def __init__(self, subject: str, problem: str, remedy: str) -> None:
        self.subject = subject
        """The variables that it may be about, or another subject."""
        self.problem = problem
        self.remedy = remedy


class Found(NamedTuple):
    """A finding, and the variable that it is about. No part of it is a secret."""

    finding: Finding
    variable: str
    detail: str = ""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.variable}{detail}: {self.finding.problem}; {self.finding.remedy}"


def findings(
    settings: Settings,
    process: Process,
    *,
    lacking: Sequence[str] = (),
    temporal: Mapping[str, str] | None = None,
) -> tuple[Found, ...]:
    """What must not be in production, in the order of `Finding`.

    Args:
        settings: of the process.
        process: its kind; only `web` needs the secret key.
        lacking: what this machine lacks to confine the processes that read files from outside.
        temporal: the environment with Temporal's own variables.

    Raises:
        SettingsError: Temporal's own variables are wrong.
    """
    found = chain(
        _addresses(settings),
        _keys(settings, process),
        _passwords(settings),
        _samples(settings),
        _connections(settings, temporal or {}),
    )
    confinement = [Found(Finding.SANDBOX, Finding.SANDBOX.subject, ", ".join(lacking))]
    order = list(Finding)
    return tuple(
        sorted([*found, *(confinement if lacking else [])], key=lambda f: order.index(f.finding))
    )


def is_sample_address(address: str) -> bool:
    """Whether a mail address is of this machine, or in a domain that is reserved for examples (RFC 2606)."""
    domain = parseaddr(address)[1].rpartition("@")[2].lower().rstrip(".")
    return (
        domain.rpartition(".")[2] in _RESERVED
        or domain in _RESERVED_DOMAINS
        or domain.endswith(tuple(f".{each}" for each in _RESERVED_DOMAINS))
    )


def report(found: Sequence[Found]) -> str:
    """The findings as a process prints them: one line each, below one that says what they are."""
    return "\n".join(
        [f"{PREFIX}PRODUCTION is on, and this is not for production:", *map(str, found)]
    )


def _addresses(settings: Settings) -> Iterator[Found]:
    if _is_http(settings.public_url):
        yield _about(Finding.PUBLIC_HTTP)
    if _is_http(settings.temporal_ui_url) and not _is_loopback(settings.temporal_ui_url):
        yield _about(Finding.UI_HTTP)
    for url, finding in (
        (settings.warehouse_url, Finding.WAREHOUSE_HTTP),
        (settings.shop_webhook_url, Finding.SHOP_HTTP),
    ):
        if url is not None and _is_http(url) and not _is_loopback(url):
            yield _about(finding)


def _keys(settings: Settings, process: Process) -> Iterator[Found]:
    if settings.encryption_keys is None:
        yield _about(Finding.NO_KEYS)
    else:
        for key_id, key in parse_keys(settings.encryption_keys.get_secret_value()):
            if _is_weak(key):
                yield _about(Finding.WEAK_KEYS, f"key {key_id!r}")
    if settings.encryption_accept_plain:
        yield _about(Finding.PLAIN)
    if settings.secret_key is None:
        if process == "web":
            yield _about(Finding.NO_SECRET_KEY)
    elif _is_written(settings.secret_key.get_secret_value()):
        yield _about(Finding.WEAK_SECRET_KEY)


def _passwords(settings: Settings) -> Iterator[Found]:
    url = urlsplit(settings.database_url)
    named = parse_qs(url.query, keep_blank_values=True)  # the driver also reads both from the query
    users = [unquote(url.username or ""), *named.get("user", ())]
    passwords = [unquote(url.password)] if url.password is not None else []
    passwords += named.get("password", ())
    if any(_is_guessable(password, user) for password in passwords for user in users):
        yield _about(Finding.DATABASE_PASSWORD)
    server = settings.smtp
    if server.password is not None:
        if server.security == "none":
            yield _about(Finding.SMTP_PLAIN)
        if _is_known(server.password.get_secret_value(), server.username or ""):
            yield _about(Finding.SMTP_PASSWORD)
    for name in ("warehouse_token", "shop_webhook_token"):
        token = getattr(settings, name)
        if token is not None and _is_guessable(token.get_secret_value()):
            yield Found(Finding.TOKENS, PREFIX + name.upper())


def _samples(settings: Settings) -> Iterator[Found]:
    for name in ("mail_from", "mail_operations", "mail_accounting"):
        if is_sample_address(getattr(settings, name)):
            yield Found(Finding.MAIL_ADDRESSES, PREFIX + name.upper())
    if settings.factor_exempt:
        yield _about(Finding.FACTOR_EXEMPT)
    if settings.company_name == Settings.model_fields["company_name"].default:
        yield _about(Finding.COMPANY)


def _connections(settings: Settings, temporal: Mapping[str, str]) -> Iterator[Found]:
    if _trusts_too_many(settings.trusted_proxies):
        yield _about(Finding.PROXIES)
    connection = temporal_connection(temporal)
    if is_encrypted(connection):
        return
    if connection.get("api_key"):
        yield _about(Finding.TEMPORAL_PLAIN)
    if not is_inside(connection):
        yield _about(Finding.TEMPORAL_OUTSIDE, connection.get("target_host", ""))


def _about(finding: Finding, detail: str = "") -> Found:
    return Found(finding, finding.subject, detail)


def _is_http(url: str) -> bool:
    return urlsplit(url).scheme != "https"


def _is_loopback(url: str) -> bool:
    return urlsplit(url).hostname in _LOOPBACK


def _is_weak(key: bytes) -> bool:
    """Whether a key of 32 bytes is a text, or has too few different bytes for a random one."""
    return len(set(key)) < _FEWEST_BYTES or all(32 <= byte < 127 for byte in key)


def _is_written(text: str) -> bool:
    """Whether a text was made up and not drawn at random: a repeated piece, few characters, or a word."""
    repeats = (text + text).find(text, 1) < len(text)
    return repeats or len(set(text)) < _FEWEST_CHARACTERS or bool(_WORDS.search(text))


def _is_guessable(password: str, user: str = "") -> bool:
    return len(password) < _SHORTEST_PASSWORD or _is_known(password, user)


def _is_known(password: str, user: str) -> bool:
    plain: Callable[[str], str] = str.casefold
    return (
        plain(password) in (*_KNOWN, plain(user))
        or len(set(password)) < 4
        or bool(_WORDS.search(password))
    )


def _trusts_too_many(networks: str) -> bool:
    """Whether one of the networks, or several that lie side by side, has more addresses than the private ones."""
    known: dict[int, list[ipaddress.IPv4Network | ipaddress.IPv6Network]] = {4: [], 6: []}
    for part in filter(None, map(str.strip, networks.split(","))):
        network = ipaddress.ip_network(part, strict=False)
        if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_IPV4_IN_IPV6):
            address = network.network_address.ipv4_mapped
            network = ipaddress.IPv4Network((str(address), network.prefixlen - 96))
        known[network.version].append(network)
    return any(
        network.prefixlen < _WIDEST[version]
        for version, each in known.items()
        for network in ipaddress.collapse_addresses(each)  # type: ignore[type-var]
    )
