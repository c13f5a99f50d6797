"""Finds what an invoice must not contain: scripts, actions, media, XFA forms, attached files other than an e-invoice.

PDFium ignores them, but the reader of accounting may not. Runs in the confined process. All objects that can be reached
from the catalogue are visited; the content of pages is not decoded.
"""

import io
from collections.abc import Iterator
from typing import Any

from domain.settlements.invoicing import Problem

E_INVOICES = frozenset(
    {"factur-x.xml", "zugferd-invoice.xml", "xrechnung.xml", "order-x.xml", "cii.xml"}
)
"""The names of the XML files that hybrid invoices (Factur-X, ZUGFeRD) carry for programs."""
_MOST_OBJECTS = 200_000
_MOST_XML = 10 << 20  # bytes
_ACTIONS = {
    "/JavaScript": "JavaScript",
    "/Launch": "Launch",
    "/ImportData": "ImportData",
    "/SubmitForm": "SubmitForm",
    "/Rendition": "Rendition",
    "/Movie": "Movie",
    "/Sound": "Sound",
    "/GoToE": "GoToE",
    "/GoToR": "GoToR",
    "/RichMediaExecute": "RichMedia",
    "/GoTo3DView": "3D",
}
_ANNOTATIONS = {
    "/RichMedia": "RichMedia",
    "/Screen": "Screen",
    "/Movie": "Movie",
    "/Sound": "Sound",
    "/3D": "3D",
}
_KEYS = {"/JS": "JavaScript", "/XFA": "XFA", "/AA": "AA", "/RichMediaContent": "RichMedia"}


class _TooMuch(Exception):
    """The file has more objects than an invoice can need."""


def active_problem(data: bytes) -> Problem | None:
    """The first thing that a PDF must not have, or None. `unreadable`: its objects cannot be read."""
    import pypdf  # loads slowly, and only this process needs it

    try:
        reader = pypdf.PdfReader(io.BytesIO(data), strict=False)
        if reader.is_encrypted and not reader.decrypt(""):
            return Problem(code="encrypted")
        for each in _dictionaries(reader.trailer):
            problem = _problem_of(each)
            if problem is not None:
                return problem
    except MemoryError:
        raise
    except Exception:  # what pypdf raises for a broken file has no common class
        return Problem(code="unreadable")
    return None


def _dictionaries(trailer: Any) -> Iterator[Any]:
    """All dictionaries that can be reached, each indirect object once. Arrays and names are only passed through."""
    from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

    waiting, seen, count = [trailer.get("/Root"), trailer.get("/Info")], set(), 0
    while waiting:
        each = waiting.pop()
        if isinstance(each, IndirectObject):
            if (each.idnum, each.generation) in seen:
                continue
            seen.add((each.idnum, each.generation))
            each = each.get_object()
        count += 1
        if count > _MOST_OBJECTS:
            raise _TooMuch
        if isinstance(each, DictionaryObject):
            yield each
            waiting += [value for value in dict.values(each) if _may_hold(value)]
        elif isinstance(each, ArrayObject):
            waiting += [value for value in list.__iter__(each) if _may_hold(value)]


def _may_hold(value: Any) -> bool:
    from pypdf.generic import ArrayObject, DictionaryObject, IndirectObject

    return isinstance(value, ArrayObject | DictionaryObject | IndirectObject)


def _problem_of(each: Any) -> Problem | None:
    """What is wrong with a dictionary itself."""
    for key, name in _KEYS.items():
        if key in each:
            return _active(name)
    # /S names the kind of an action. Other dictionaries have /S, too, with other names.
    action, annotation = str(each.get("/S", "")), str(each.get("/Subtype", ""))
    if action in _ACTIONS:
        return _active(_ACTIONS[action])
    if annotation in _ANNOTATIONS and "/Rect" in each:
        return _active(_ANNOTATIONS[annotation])
    if "/OpenAction" in each and _is_action(each["/OpenAction"]):
        return _active("OpenAction")
    if "/EF" in each:
        return _attachment(each)
    return None


def _is_action(opened: Any) -> bool:
    """Whether something happens when the file is opened, other than that a page is shown."""
    return isinstance(opened, dict) and str(opened.get("/S", "")) != "/GoTo"


def _attachment(specification: Any) -> Problem | None:
    """The problem of an attached file that is not the XML of an e-invoice; None if it is."""
    names = [str(specification[key]) for key in ("/UF", "/F") if key in specification]
    name = names[0] if names else ""
    if not names or any(each.lower() not in E_INVOICES for each in names):
        shown = "".join(c for c in name if c.isprintable())[:80]
        return Problem(code="attachment", detail=shown or "?")
    for stream in dict.values(specification["/EF"]):
        content = stream.get_object().get_data()
        if len(content) > _MOST_XML or not content.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            return Problem(code="attachment", detail=name)
    return None


def _active(name: str) -> Problem:
    return Problem(code="active_content", detail=name)
