"""TLS in front of a server that has none: certificates, and a proxy that asks each client for one."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Pair(NamedTuple):
    """The files of a certificate and its private key."""

    certificate: Path
    key: Path


class Authority:
    """A certificate authority, with its files in a folder. What it signs, itself included, is valid for `lasts`."""

    def __init__(self, folder: Path, name: str, lasts: timedelta = timedelta(days=1)) -> None:
        self._folder = folder
        self._lasts = lasts
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = folder / f"{name}.pem"
        made = self._made(self._name, self._key).add_extension(
            x509.BasicConstraints(ca=True, path_length=0), critical=True
        )
        self._write(made, self.certificate)

    def issue(self, name: str) -> Pair:
        """A certificate for a server on 127.0.0.1, or for a client."""
        key = ec.generate_private_key(ec.SECP256R1())
        pair = Pair(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        local = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
        self._write(self._made(subject, key).add_extension(local, critical=False), pair.certificate)
        pair.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return pair

    def _made(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + self._lasts)
        )

    def _write(self, made: x509.CertificateBuilder, path: Path) -> None:
        path.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))


@asynccontextmanager
async def tls_proxy(port: int, to: int, server: Pair, clients: Authority) -> AsyncIterator[None]:
    """TLS on a port of 127.0.0.1, passed on to another port; only clients with a certificate of `clients`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server.certificate, server.key)
    context.load_verify_locations(clients.certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    context.set_alpn_protocols(["h2"])  # gRPC is HTTP/2

    writers: list[asyncio.StreamWriter] = []

    async def passed(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        back, forth = await asyncio.open_connection("127.0.0.1", to)
        writers.extend((writer, forth))
        await asyncio.gather(passed(reader, forth), passed(back, writer))

    proxy = await asyncio.start_server(connected, "127.0.0.1", port, ssl=context)
    try:
        yield
    finally:
        proxy.close()
        for writer in writers:
            writer.close()
