"""Checks a partner's invoice against its settlement: the number, every SP-ID, the total, the account.

An uploaded file is not trusted. It is read and checked in a confined process (`documents/confined.py`): PDFium reads
the text and renders the pages that may have a QR code; it runs no scripts and opens no attachments. The process returns
only the verdict. `check_invoice` starts it; `main` runs in it.
"""

import asyncio
import logging
import math
import re
import resource
import time
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from documents.confined import ConfinedError, Limits, run_confined
from documents.formats import money
from domain.settlements.account import SettlementAccount
from domain.settlements.invoicing import Problem, ProblemCode, Verdict
from domain.settlements.lines import Amount
from domain.values import Value
from invoices.active import active_problem
from invoices.amounts import amounts, pattern
from invoices.bill import account_problems, asked_total, bill_problems, bills_of
from invoices.drafts import is_marked_as_draft
from invoices.numbers import settlement_problems

LARGEST = 20 << 20
"""The largest file in bytes."""
MOST_PAGES = 300
LIMITS = Limits(memory=1 << 30, seconds=45, processor=10)

_LOGGER = logging.getLogger(__name__)
_MOST_TEXT = 5_000_000  # characters
_MOST_NAMED = 200  # of missing and of foreign SP-IDs
# From the beginning and from the end: searched first, under version 1 of the rules only these.
_QR_PAGES = (3, 3)
_QR_SHARE = 0.7  # of the processor time that the process may use; a page without pictures takes 0.01 seconds
_QR_DPI = 200
_LARGEST_IMAGE = 3000  # pixels along an edge


class Expected(Value):
    """What the invoice of a settlement must contain. `may_name`: SP-IDs that it may contain, those of corrections.

    `totals`: the totals that it may have, the statement's (`total`) first; empty: only that one. `checks_account`:
    whether it must not name any account but `iban`, the registered one; None: the partner has none.
    `may_be_draft`: whether one that is marked as a draft is accepted, as under version 1 of the rules.
    """

    settlement_id: str
    sp_ids: tuple[str, ...]
    may_name: tuple[str, ...] = ()
    total: Amount
    may_be_draft: bool = True
    totals: tuple[Amount, ...] = ()
    checks_account: bool = False
    iban: str | None = None

    @property
    def possible_totals(self) -> tuple[Decimal, ...]:
        """The totals that the invoice may have, the statement's first."""
        return self.totals or (self.total,)


class Read(Value):
    """The content of a PDF: its text, its Swiss QR codes and its metadata, or the problem that prevented reading it.

    `searched`: how many pages were searched for QR codes, if there was not enough time for all of them.
    """

    text: str = ""
    metadata: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    searched: int | None = None
    problem: Problem | None = None


def expected_of(settlement: SettlementAccount, iban: str | None = None) -> Expected:
    """What the invoice of a settlement must contain. `iban`: the partner's registered account, the one in force."""
    billed = {line.sp_id for line in settlement.lines}
    corrected = {correction.sp_id for correction in settlement.corrections}
    return Expected(
        settlement_id=settlement.settlement_id,
        sp_ids=tuple(line.sp_id for line in settlement.lines),
        may_name=tuple(sorted(corrected - billed)),
        total=settlement.total,
        totals=settlement.invoice_totals,
        checks_account=settlement.rules >= 2,
        iban=iban,
    )


async def check_invoice(pdf: bytes | Path, expected: Expected, limits: Limits = LIMITS) -> Verdict:
    """Check whether a PDF is the expected invoice. An unreadable file gets a verdict, too.

    Raises `ConfinedError` of kind `start` if the process could not start; the caller may retry.
    """
    if isinstance(pdf, Path):
        pdf = await asyncio.to_thread(_beginning, pdf)
    if len(pdf) > LARGEST:
        return _refused("too_large", f"{LARGEST >> 20} MiB")
    if b"%PDF-" not in pdf[:1024]:
        return _refused("not_a_pdf")
    try:
        answer = await run_confined(
            "invoices.check", expected.model_dump_json().encode() + b"\n" + pdf, limits
        )
    except ConfinedError as error:
        if error.kind == "start":
            raise
        # Too much memory or time, or a crash: the file is the cause, so a retry would not help.
        _LOGGER.warning("an invoice could not be read: %s", error)
        return _refused("unreadable")
    return Verdict.model_validate_json(answer)


def _beginning(path: Path) -> bytes:
    """The beginning of a file: enough to find out whether it is too large."""
    with path.open("rb") as file:
        return file.read(LARGEST + 1)


LOADS = ("pypdfium2", "zxingcpp")


def main(data: bytes) -> bytes:
    """Runs in the confined process. The input is a line of JSON (`Expected`) and the PDF, the output a `Verdict`."""
    expected, _, pdf = data.partition(b"\n")
    wanted = Expected.model_validate_json(expected)
    limit, _ = resource.getrlimit(resource.RLIMIT_CPU)
    seconds = math.inf if limit == resource.RLIM_INFINITY else _QR_SHARE * limit
    found = read(pdf, every_page=wanted.checks_account, seconds=seconds)
    return judge(found, wanted).model_dump_json().encode()


def _refused(code: ProblemCode, detail: str = "") -> Verdict:
    return Verdict(accepted=False, problems=(Problem(code=code, detail=detail),))


# --- the verdict ----------------------------------------------------------------------------------


def judge(read: Read, expected: Expected) -> Verdict:
    """The verdict on an invoice that was read."""
    if read.problem is not None:
        return Verdict(accepted=False, problems=(read.problem,))
    text = _normalized(read.text)
    if not text.strip():
        return _refused("no_text")
    if not expected.may_be_draft and is_marked_as_draft(text, read.metadata):
        return _refused("draft")
    named = _Named(text)
    missing = tuple(sp_id for sp_id in expected.sp_ids if not named.names(sp_id))
    foreign = tuple(named.foreign(expected))
    named_totals = _totals_in(text, expected)
    bills = bills_of(read.codes)
    not_searched = () if read.searched is None else (_not_searched(read.searched),)
    problems = (
        *not_searched,
        *settlement_problems(text.translate(_DASHES), expected.settlement_id),
        *_total_problems(text, expected, named_totals),
        *bill_problems(bills, expected.settlement_id, named_totals or (expected.total,)),
    )
    is_right = not (missing or foreign or problems)
    if is_right and expected.checks_account:
        problems = account_problems(text, bills, expected.iban)
    return Verdict(
        accepted=is_right and not problems,
        accounting_decides=is_right and bool(problems),
        total=asked_total(bills, text, named_totals) if is_right else None,
        missing=missing[:_MOST_NAMED],
        foreign=foreign[:_MOST_NAMED],
        problems=problems,
    )


def _not_searched(pages: int) -> Problem:
    return Problem(code="qr_pages", detail=str(pages))


_DASHES = str.maketrans(dict.fromkeys("‐‑‒–—―−\u00ad\ufffe", "-"))
_TOKEN = re.compile(r"[A-Za-z0-9]+(?:[._-]+[A-Za-z0-9]+)*")
_BREAK = r"\s{0,3}+"


def _normalized(text: str) -> str:
    """The text with uniform line ends, without zero-width spaces, and with PDFium's hyphens at line ends as `-`."""
    return text.replace("\r\n", "\n").replace("\r", "\n").replace("\x02", "-").replace("\u200b", "")


def _bare(sp_id: str) -> str:
    """Only the letters and digits of an identifier."""
    return re.sub(r"[^A-Z0-9]", "", sp_id.upper())


class _Named:
    """The SP-IDs in a text, including those that are broken or hyphenated."""

    def __init__(self, text: str) -> None:
        self._text = text.translate(_DASHES)
        self._tokens = {_bare(token) for token in _TOKEN.findall(self._text)}
        self._all = _bare(self._text)

    def names(self, sp_id: str) -> bool:
        """Whether the text contains an SP-ID, also broken by blanks or line ends, or with missing or double hyphens."""
        bare = _bare(sp_id)
        if bare in self._tokens:
            return True
        if bare not in self._all:
            return False
        broken = rf"{_BREAK}-?{_BREAK}".join(map(re.escape, bare))
        return bool(
            re.search(rf"(?<![A-Za-z0-9]){broken}(?![A-Za-z0-9])", self._text, re.IGNORECASE)
        )

    def foreign(self, expected: Expected) -> Iterator[str]:
        """Other SP-IDs with the form of the expected ones (the same letters, then a number), without duplicates."""
        known = {_bare(each) for each in (*expected.sp_ids, *expected.may_name)}
        seen: set[str] = set()
        for letters in sorted(_prefixes((*expected.sp_ids, *expected.may_name))):
            shape = (
                rf"(?<![A-Za-z0-9]){letters}{_BREAK}-?{_BREAK}(\d++)(?![A-Za-z])"
                r"((?:(?:-\s{0,3}+|\s{1,3}+)\d++)*+)"
            )
            for match in re.finditer(shape, self._text, re.IGNORECASE):
                runs = [match[1], *re.findall(r"\d+", match[2])]
                # After a blank or a line end the number may continue, or another one may begin.
                readings = [letters + "".join(runs[: count + 1]) for count in range(len(runs))]
                if known.isdisjoint(readings) and readings[0] not in seen:
                    seen.add(readings[0])
                    yield f"{letters}-{runs[0]}"


def _prefixes(sp_ids: Iterable[str]) -> set[str]:
    """The letters before the number of each SP-ID. SP-IDs without letters are left out: they look like any number."""
    matches = (re.fullmatch(r"([A-Za-z]{2,})[._-]?\d+", sp_id) for sp_id in sp_ids)
    return {match[1].upper() for match in matches if match}


# Words for the total; words for subtotals are excluded below.
_TOTAL = re.compile(
    r"(?<![a-zäöü])(?:rechnungs|gesamt|total|end)?(?:total|totale|betrag|summe)\b"
    r"|amount due|importo totale|montant (?:total|dû)",
    re.IGNORECASE,
)
_PART = re.compile(
    r"zwischen|sub|sous|sotto|übertrag|report|netto|\bnet\b|mwst|mehrwert|tva|iva|vat",
    re.IGNORECASE,
)


def _totals_in(text: str, expected: Expected) -> tuple[Decimal, ...]:
    """The possible totals that are in the text."""
    return tuple(total for total in expected.possible_totals if pattern(total).search(text))


def _total_problems(
    text: str, expected: Expected, named_totals: tuple[Decimal, ...]
) -> Iterator[Problem]:
    """Check that a possible total is in the text, and that no higher amount is beside a word for the total."""
    if not named_totals:
        yield Problem(code="no_total", detail=money(expected.total))
    lowest, possible = min(expected.possible_totals), frozenset(expected.possible_totals)
    higher = {
        amount
        for line in text.splitlines()
        if (word := _TOTAL.search(line)) and not _PART.search(line[: word.end()])
        for amount in amounts(line[word.end() :])
        if amount > lowest and amount not in possible
    }
    if higher:
        yield Problem(code="other_total", detail=money(max(higher)))


# --- reading -------------------------------------------------------------------------------------


def read(data: bytes, *, every_page: bool = True, seconds: float = math.inf) -> Read:
    """Read a PDF with PDFium, in this process.

    `every_page`: search all pages for QR codes, as long as the process has used less than `seconds` of processor time;
    else those of `_QR_PAGES`.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        encrypted = "password" in str(error).lower() or "security" in str(error).lower()
        return Read(problem=Problem(code="encrypted" if encrypted else "unreadable"))
    count = len(document)
    if count > MOST_PAGES:
        return Read(problem=Problem(code="too_many_pages", detail=str(MOST_PAGES)))
    problem = active_problem(data) if count else Problem(code="unreadable")
    if problem is not None:
        return Read(problem=problem)
    texts: list[str] = []
    size = 0
    for number in range(count):
        try:
            page = document[number]
        except pypdfium2.PdfiumError:
            return Read(problem=Problem(code="unreadable"))
        text = page.get_textpage().get_text_range()
        size += len(text)
        if size > _MOST_TEXT:
            return Read(problem=Problem(code="unreadable"))
        texts.append(text)
        page.close()
    metadata = tuple(document.get_metadata_dict(skip_empty=True).values())
    likely = {*range(min(count, _QR_PAGES[0])), *range(max(0, count - _QR_PAGES[1]), count)}
    others = [number for number in range(count) if every_page and number not in likely]
    codes: dict[int, list[str]] = {}
    for number in (*sorted(likely), *others):
        if number in others and time.process_time() > seconds:
            break
        page = document[number]
        codes[number] = _codes(page)
        page.close()
    is_whole = len(codes) == len(likely) + len(others)
    return Read(
        text="\n".join(texts),
        codes=tuple(dict.fromkeys(code for number in sorted(codes) for code in codes[number])),
        searched=None if is_whole else len(codes),
        metadata=metadata,
    )


def _codes(page: Any) -> list[str]:
    """The Swiss QR codes on a page."""
    import zxingcpp

    longest = max(page.get_size())
    if not 0 < longest < 1e6:
        return []
    scale = min(_QR_DPI / 72, _LARGEST_IMAGE / longest)
    # A reader shows annotations as well, so a code may be in one.
    bitmap = page.render(scale=scale, grayscale=True, may_draw_forms=False, draw_annots=True)
    pixels = memoryview(bitmap.buffer).cast("B")
    image = zxingcpp.ImageView(
        pixels, bitmap.width, bitmap.height, zxingcpp.ImageFormat.Lum, bitmap.stride
    )
    formats = zxingcpp.BarcodeFormats([zxingcpp.BarcodeFormat.QRCode])
    found = zxingcpp.read_barcodes(image, formats=formats)
    return [each.text for each in found if each.text.startswith("SPC")]
