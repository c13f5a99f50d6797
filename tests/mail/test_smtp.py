"""A mail as the mail server gets it: headers, parts, hostile addresses and names, encryption."""

import re
import ssl
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from contracts import activities
from domain.actors import Actor
from records.mails import MailLog
from records.partners import Partners
from tests.activities.conftest import partner
from tests.activities.mail_office import (
    CANCELLED,
    LATE,
    MAILS,
    NEW_ORDER,
    PASSWORD,
    Office,
    body,
    everything_told,
)
from tests.activities.mails import refusal
from tests.activities.servers import MailServer, mail_server
from tests.support.builders import MONDAY


async def test_a_mail_as_it_arrives(office: Office, server: MailServer) -> None:
    await office.send(NEW_ORDER)
    [message] = server.received
    assert message["From"].addresses[0].addr_spec == "cmi@shop.example"
    assert message["From"].addresses[0].display_name == "Muster Handel AG"
    assert message["To"].addresses[0].addr_spec == "auftraege@elektro-huber.example"
    assert message["To"].addresses[0].display_name == "Elektro-Huber AG"
    assert message["Reply-To"].addresses[0].addr_spec == "team@shop.example"
    assert message["Subject"] == "8004 Zürich · Waschmaschine anschliessen · SP-1048213"
    assert parsedate_to_datetime(message["Date"]) == MONDAY
    assert re.fullmatch(r"<[0-9a-f]{32}@shop\.example>", message["Message-ID"])
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Content-Language"] == "de"
    assert message["In-Reply-To"] is None
    assert message.get_content_type() == "multipart/alternative"
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert {part.get_content_charset() for part in parts} == {"utf-8"}
    assert "https://cmi.example/orders/SP-1048213" in body(message, "plain")
    assert "Guten Tag Elektro-Huber AG" in body(message, "html")
    [envelope] = server.envelopes
    assert envelope.mail_from == "cmi@shop.example"
    assert isinstance(envelope.content, bytes)
    assert max(len(line) for line in envelope.content.split(b"\r\n")) <= 78
    assert envelope.content.isascii()


async def test_the_date_is_that_of_sending(office: Office, server: MailServer) -> None:
    later = MONDAY + timedelta(days=1)
    await office.send(NEW_ORDER, at=later, after=timedelta(days=1))
    assert parsedate_to_datetime(server.received[0]["Date"]) == later


# --- hostile addresses and names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    [
        "x@y.example\r\nBcc: all@evil.example",
        "a b@y.example",
        "nobody",
        "@y.example",
        "x@",
        "x@" + "y" * 80 + ".example",
    ],
)
async def test_an_address_that_cannot_be_is_refused(
    office: Office, server: MailServer, address: str
) -> None:
    sender = Actor(role="operations", name="Anna", email=address)
    failure = await office.failure(refusal(sender))
    assert failure.type == "MailRefused"
    assert server.received == []
    assert "evil" not in everything_told(failure)
    failure = await office.failure(refusal(sender), after=timedelta(days=5))
    assert failure.type == activities.MAIL_GIVEN_UP


@pytest.mark.parametrize(
    "name",
    [
        "\r\nBcc: all@evil.example\r\n\r\nHallo",
        '"Huber" <boss@evil.example>,',
        "=?utf-8?q?x?=",
        "Zürich " * 25,
        "a\u202eb",
    ],
)
async def test_a_name_is_only_a_name(office: Office, server: MailServer, name: str) -> None:
    await office.send(refusal(Actor(role="operations", name=name, email="anna@shop.example")))
    [message] = server.received
    assert server.envelopes[0].rcpt_tos == ["anna@shop.example"]
    assert [a.addr_spec for a in message["To"].addresses] == ["anna@shop.example"]
    assert message["Bcc"] is None
    assert len(list(message.iter_parts())) == 2


@pytest.mark.parametrize(
    "text", ["Müller\r\nX-Evil: 1", "\u2028X: 1", "é" * 300, "x" * 300, "\ud800", "🛠️ " * 60]
)
async def test_a_service_is_only_part_of_the_subject(
    office: Office, server: MailServer, text: str
) -> None:
    facts = NEW_ORDER.facts.model_copy(
        update={"service": text, "note": text, "customer_place": text, "order_note": text}
    )
    await office.send(NEW_ORDER.model_copy(update={"facts": facts}))
    [message] = server.received
    assert message["X-Evil"] is None
    assert message["X"] is None
    assert message["Subject"].endswith("SP-1048213")
    assert len(list(message.iter_parts())) == 2


@pytest.mark.parametrize(
    "name",
    [
        "\r\nBcc: all@evil.example\r\n\r\nHallo",
        '"Muster" <boss@evil.example>,',
        "Müller & Söhne, Zürich",
    ],
)
async def test_partners_see_the_retailer_and_the_staff_sees_the_system(
    log: MailLog, partners: Partners, server: MailServer, name: str
) -> None:
    office = Office(log, partners, server.port)
    office.mail._outbox._sender._company = name  # the settings take one line only
    await office.send(NEW_ORDER)
    await office.send(MAILS["review_needed"])
    to_partner, to_staff = server.received
    [sender] = to_partner["From"].addresses
    assert sender.addr_spec == "cmi@shop.example"
    assert sender.display_name == " ".join(name.split())
    assert to_partner["Bcc"] is None
    assert to_staff["From"].addresses[0].display_name == "CMI «Müller»"


async def test_umlauts_in_addresses(office: Office, partners: Partners, server: MailServer) -> None:
    await partners.put(partner("elektro-huber", email="büro@hüsler.example"), MONDAY)
    await office.send(NEW_ORDER)
    assert server.envelopes[0].rcpt_tos == ["büro@xn--hsler-kva.example"]
    await partners.put(partner("elektro-huber", email="buero@hüsler.example"), MONDAY)
    await office.send(CANCELLED)
    assert server.envelopes[1].rcpt_tos == ["buero@xn--hsler-kva.example"]
    assert "SMTPUTF8" not in server.envelopes[1].mail_options


# --- encryption -------------------------------------------------------------------------------------------------------


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate for localhost, trusted as the operating system's are."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certified = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "server.pem"
    pem = serialization.Encoding.PEM
    file.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + certified.public_bytes(pem)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    return context


@pytest.mark.parametrize(("scheme", "wrapped"), [("smtps", True), ("smtp+starttls", False)])
async def test_encrypted_with_a_login(
    log: MailLog, partners: Partners, certificate: ssl.SSLContext, scheme: str, wrapped: bool
) -> None:
    logins: list[LoginPassword] = []

    def check(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        logins.append(data)
        return AuthResult(success=data == LoginPassword(b"cmi", PASSWORD.encode()))

    async with mail_server(
        tls=certificate,
        wrapped=wrapped,
        authenticator=check,
        auth_required=True,
        auth_require_tls=not wrapped,
    ) as server:
        url = f"{scheme}://cmi:{PASSWORD.replace('@', '%40')}@localhost:{server.port}"
        await Office(log, partners, server.port, smtp_url=url).send(NEW_ORDER)
    assert len(server.received) == 1
    assert server.encrypted == [True]
    assert len(logins) == 1


async def test_a_server_without_encryption_does_not_get_it_unencrypted(
    office: Office, server: MailServer
) -> None:
    wary = Office(
        office.log, office.mail._partners, 0, smtp_url=f"smtp+starttls://127.0.0.1:{server.port}"
    )
    failure = await wary.failure(LATE, after=timedelta(days=60))
    assert failure.type == "MailServerUnavailable"
    assert server.received == []


async def test_a_certificate_that_nobody_vouches_for(
    log: MailLog, partners: Partners, certificate: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    async with mail_server(tls=certificate) as server:
        office = Office(log, partners, 0, smtp_url=f"smtp+starttls://localhost:{server.port}")
        failure = await office.failure(LATE)
    assert failure.type == "MailServerUnavailable"
    assert server.received == []
