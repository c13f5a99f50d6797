"""HTML to PDF/A-3b with WeasyPrint: in parts, in processes beside each other, always the same bytes.

Nothing is fetched: pages name no other file, and a fetcher that refuses everything says so. A part is some pages of a
document; each is rendered in a forked process, so that memory does not grow with the length of the document, and the
parts are joined with pypdf, which stores what they have in common (the fonts) once.
"""

import gc
import math
import os
import re
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from documents.confined import OUT_OF_MEMORY, end_with_parent, short_of_memory
from documents.text import FONTS

# Read by fontconfig: the fonts of this machine must not show in a document. Before WeasyPrint is imported.
os.environ["FONTCONFIG_FILE"] = str(FONTS / "fonts.conf")

import pypdf

try:
    import weasyprint
except (
    OSError
) as error:  # the line that fails is all that is told of a failure (documents/confined.py)
    raise ImportError("Pango is missing on this machine: make setup") from error
from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, ByteStringObject
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher

VERSIONS = f"weasyprint {weasyprint.__version__}, pypdf {pypdf.__version__}"
_PARTS_OF_A_PROCESS = 8  # one after the other, before a new process begins with fresh memory
_SPACE = re.compile(rb"> <200[0-9a]>$")


class Attached(NamedTuple):
    """A file inside the document: what it shows, for programs."""

    name: str
    data: bytes
    description: str


class Part(NamedTuple):
    """Some pages of a document, as HTML."""

    html: str
    pages: int


class Layout(Exception):
    """WeasyPrint made another number of pages than was reckoned: a mistake in our layout."""


class _Nothing(URLFetcher):  # type: ignore[misc]
    """Fetches nothing, from nowhere."""

    def __init__(self) -> None:
        super().__init__(allowed_protocols=(), allow_redirects=False, fail_on_errors=True)

    def fetch(self, url: str, headers: object = None) -> NoReturn:
        raise PermissionError("documents fetch nothing")


def make_pdf(
    parts: Sequence[Part],
    *,
    identifier: bytes,
    created: date,
    attached: Sequence[Attached] = (),
    processes: int = 2,
) -> bytes:
    """The document of these parts.

    The title and what else a PDF says of itself is in the head of the first part's HTML. `identifier` goes into the
    file, `created` is the day of the attachments. Raises `MemoryError` if a part needs more than the process may have,
    `Layout` and whatever WeasyPrint raises.
    """
    if len(parts) == 1:
        return _render(parts[0], identifier, created, attached)
    with tempfile.TemporaryDirectory(prefix="cmi-parts-") as folder:
        paths = [Path(folder) / f"{number}.pdf" for number in range(len(parts))]
        _fork_each(parts, paths, identifier, created, attached, processes)
        return _joined(paths, identifier)


def _render(
    part: Part, identifier: bytes, created: date, attached: Sequence[Attached] = ()
) -> bytes:
    """One part, by this process."""
    at = datetime.combine(created, time(), UTC)
    attachments = [
        weasyprint.Attachment(
            file_obj=BytesIO(each.data),
            name=each.name,
            description=each.description,
            created=at,
            modified=at,
            relationship="Data",
        )
        for each in attached
    ]
    collecting = gc.isenabled()
    gc.disable()  # millions of objects and hardly a cycle before the end
    try:
        html = weasyprint.HTML(string=part.html, url_fetcher=_Nothing())
        document = html.render(font_config=FontConfiguration(), pdf_variant="pdf/a-3b")
        if len(document.pages) != part.pages:
            raise Layout(f"{len(document.pages)} pages, not {part.pages}")
        pdf = document.write_pdf(
            pdf_variant="pdf/a-3b",
            pdf_identifier=identifier,
            attachments=attachments,
            # The whole fonts, which are small: subsets would differ from part to part, and with HarfBuzz's version.
            full_fonts=True,
            finisher=_finish,
        )
    finally:
        if collecting:
            gc.enable()
    assert isinstance(pdf, bytes)
    return pdf


def _finish(document: object, pdf: Any) -> None:
    """What WeasyPrint leaves to us.

    Whoever reads the text finds an ordinary blank for each of those that set columns (documents/table.py), and each
    attachment is named once.
    """
    for made in pdf.objects:
        lines = getattr(made, "stream", ())
        if b"begincmap" in lines:
            made.stream = [_SPACE.sub(b"> <0020>", line) for line in lines]
    if "AF" in pdf.catalog:
        pdf.catalog["AF"][:] = dict.fromkeys(pdf.catalog["AF"])


def _fork_each(
    parts: Sequence[Part],
    paths: Sequence[Path],
    identifier: bytes,
    created: date,
    attached: Sequence[Attached],
    processes: int,
) -> None:
    """Render each part into its file, so many at a time.

    Pango has threads of its own, which a fork would lose; it is used in the children only. A child renders several
    parts, since its first one is the slowest.
    """
    running: set[int] = set()
    each = min(math.ceil(len(parts) / processes), _PARTS_OF_A_PROCESS)
    waiting = [range(first, min(first + each, len(parts))) for first in range(0, len(parts), each)]
    waiting.reverse()
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                numbers = waiting.pop()
                parent, pid = os.getpid(), os.fork()
                if not pid:
                    _child(numbers, parts, paths, identifier, created, attached, parent)
                running.add(pid)
            pid, status = os.wait()
            running.discard(pid)
            code = os.waitstatus_to_exitcode(status)
            if code == OUT_OF_MEMORY:
                raise MemoryError("a part of the document")
            if code:
                raise RuntimeError(f"rendering a part of the document ended with {code}")
    finally:
        for pid in running:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _child(
    numbers: Sequence[int],
    parts: Sequence[Part],
    paths: Sequence[Path],
    identifier: bytes,
    created: date,
    attached: Sequence[Attached],
    parent: int,
) -> NoReturn:
    code = 1
    end_with_parent()
    if os.getppid() != parent:  # it had ended before
        os._exit(code)
    try:
        for number in numbers:
            files = attached if number == 0 else ()
            paths[number].write_bytes(_render(parts[number], identifier, created, files))
            gc.collect()
        code = 0
    except BaseException as error:
        if short_of_memory(error):
            code = OUT_OF_MEMORY
        traceback.print_tb(error.__traceback__)
        print(type(error).__name__, file=sys.stderr, flush=True)
    finally:
        os._exit(code)  # nothing of the parent's is ended or written a second time


def _joined(paths: Sequence[Path], identifier: bytes) -> bytes:
    """The parts as one document, which is what the first one says it is."""
    writer = PdfWriter(clone_from=paths[0])
    for path in paths[1:]:
        for page in PdfReader(path).pages:
            writer.add_page(page)
    writer.compress_identical_objects()
    file_id: Any = ByteStringObject(identifier)
    writer._ID = ArrayObject([file_id, file_id])
    output = BytesIO()
    writer.write(output)
    return output.getvalue()
