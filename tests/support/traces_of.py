"""Looks for texts in all that an instance stores: every file of a folder, every value of every table."""

import base64
import gzip
import io
from collections.abc import Iterable, Iterator
from email import message_from_bytes, policy
from functools import lru_cache
from pathlib import Path

from pypdf import PdfReader
from pypdf.errors import PyPdfError
from sqlalchemy import select

from records.database import Database
from records.tables import metadata


def forms(text: str) -> set[bytes]:
    """How a text may stand in a file."""
    raw = text.encode()
    return {
        raw,
        raw.lower(),
        raw.upper(),
        text.encode("utf-16-le"),
        text.encode("utf-16-be"),
        raw.hex().encode(),
        *(base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)),
    }


def contents(data: bytes) -> Iterator[bytes]:
    """The bytes, and what they are when unpacked: of gzip, of a PDF its texts and attachments, of a mail its parts."""
    yield data
    if data[:2] == b"\x1f\x8b":
        yield gzip.decompress(data)
    elif data[:5] == b"%PDF-":
        yield from _contents_of_pdf(data)
    elif b"\nMIME-Version:" in data[:4000]:
        mail = message_from_bytes(data, policy=policy.default)
        yield str(mail["Subject"]).encode()
        for part in mail.walk():
            raw = part.get_payload(decode=True)
            if isinstance(raw, bytes):
                yield from contents(raw)


@lru_cache(maxsize=500)
def _contents_of_pdf(data: bytes) -> tuple[bytes, ...]:
    """Kept, as a test that waits until a text is gone looks at the same PDFs again and again."""
    found = []
    try:
        reader = PdfReader(io.BytesIO(data))
        found.append("\n".join(page.extract_text() for page in reader.pages).encode())
        found.append(str(reader.metadata).encode())
        for several in reader.attachments.values():
            for attached in several:
                found += contents(attached)
    except PyPdfError:
        pass
    return tuple(found)


def holds(data: bytes, wanted: Iterable[bytes], *, unpacked: bool = True) -> bool:
    """Whether the bytes contain one of these forms; if `unpacked`, also packed."""
    parts = contents(data) if unpacked else (data,)
    return any(form in part for part in parts for form in wanted)


def files_with(folder: Path, *texts: str) -> list[str]:
    """The files below a folder that contain one of these texts in some form, packed or not."""
    wanted = {form for text in texts for form in forms(text)}
    found = []
    for path in folder.rglob("*"):
        try:
            if path.is_file() and holds(path.read_bytes(), wanted):
                found.append(str(path.relative_to(folder)))
        except FileNotFoundError:  # a file that a process has just deleted
            continue
    return sorted(found)


async def columns_with(database: Database, *texts: str, unpacked: bool = True) -> list[str]:
    """The columns of all tables, as `table.column`, with a value that contains one of these texts in some form.

    `unpacked`: also if it is packed in the value.
    """
    wanted = {form for text in texts for form in forms(text)}
    found = set()
    for table in metadata.sorted_tables:
        async with database.reading() as connection:
            rows = (await connection.execute(select(table))).all()
        for row in rows:
            for name, value in row._mapping.items():
                data = value if isinstance(value, bytes) else str(value).encode()
                if f"{table.name}.{name}" not in found and holds(data, wanted, unpacked=unpacked):
                    found.add(f"{table.name}.{name}")
    return sorted(found)
