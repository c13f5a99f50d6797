"""Invoices with scripts, actions, media, XFA or foreign files are refused; e-invoices and ordinary ones are not."""

import io
from collections.abc import Callable
from decimal import Decimal

import pytest
from pypdf import PdfWriter
from pypdf.generic import (
    ArrayObject,
    DictionaryObject,
    FloatObject,
    NameObject,
    NullObject,
    TextStringObject,
)

from domain.settlements.invoicing import Problem
from invoices.active import active_problem
from invoices.check import Expected, check_invoice
from tests.invoices.papers import invoice, paper
from tests.statements.samples import statement
from tests.support.needs import needs
from tests.support.rendering import draft_invoice, render, running_documents

__all__ = ["running_documents"]  # these files are harmless, so no check needs a process of its own

PLAIN = paper(invoice("V202610-Q93Q3BS6", ("SP-1",), "CHF 80.00"))
EXPECTED = Expected(settlement_id="V202610-Q93Q3BS6", sp_ids=("SP-1",), total=Decimal(80))
Change = Callable[[PdfWriter], object]


def changed(change: Change) -> bytes:
    writer = PdfWriter(io.BytesIO(PLAIN))
    change(writer)
    file = io.BytesIO()
    writer.write(file)
    return file.getvalue()


def names(**values: object) -> DictionaryObject:
    """A dictionary whose text values are names."""
    return DictionaryObject(
        {
            NameObject(f"/{key}"): NameObject(value) if type(value) is str else value
            for key, value in values.items()
        }
    )


def script() -> DictionaryObject:
    return names(S="/JavaScript", JS=TextStringObject("app.alert(1)"))


def rectangle() -> ArrayObject:
    return ArrayObject([FloatObject(0)] * 4)


def opens(action: object) -> Change:
    return lambda w: w.root_object.update({NameObject("/OpenAction"): action})


def annotated(annotation: DictionaryObject) -> Change:
    def change(writer: PdfWriter) -> None:
        kept = ArrayObject([writer._add_object(annotation)])
        writer.pages[0][NameObject("/Annots")] = kept

    return change


def link(action: DictionaryObject) -> Change:
    return annotated(names(Type="/Annot", Subtype="/Link", Rect=rectangle(), A=action))


ACTIVE = {
    "a script in the catalogue": (
        lambda w: w.root_object.update(
            {NameObject("/Names"): names(JavaScript=names(Names=ArrayObject([script()])))}
        ),
        "JavaScript",
    ),
    "a script when it is opened": (opens(script()), ("JavaScript", "OpenAction")),
    "something else when it is opened": (opens(names(S="/Named", N="/Print")), "OpenAction"),
    "a script behind a link": (link(script()), "JavaScript"),
    "a script behind an innocent action": (
        link(names(S="/URI", Next=ArrayObject([script()]))),
        "JavaScript",
    ),
    "a program": (link(names(S="/Launch", F=TextStringObject("cmd.exe"))), "Launch"),
    "a form that sends itself": (link(names(S="/SubmitForm")), "SubmitForm"),
    "additional actions of a page": (
        lambda w: w.pages[0].update({NameObject("/AA"): names(O=names(S="/URI"))}),
        "AA",
    ),
    "an XFA form": (
        lambda w: w.root_object.update(
            {NameObject("/AcroForm"): names(XFA=TextStringObject("<xdp/>"))}
        ),
        "XFA",
    ),
    "rich media": (
        annotated(names(Type="/Annot", Subtype="/RichMedia", Rect=rectangle())),
        "RichMedia",
    ),
}


@pytest.mark.parametrize("what", ACTIVE)
async def test_what_is_active_is_refused(what: str) -> None:
    change, names_ = ACTIVE[what]
    pdf = changed(change)
    problem = active_problem(pdf)
    assert problem is not None
    assert problem.code == "active_content"
    assert problem.detail in names_
    verdict = await check_invoice(pdf, EXPECTED)
    assert not verdict.accepted
    assert verdict.problems == (problem,)


@pytest.mark.parametrize(
    ("name", "content", "is_refused"),
    [
        ("factur-x.xml", b"<?xml version='1.0'?><a/>", False),
        ("ZUGFeRD-invoice.xml", b"\xef\xbb\xbf<a/>", False),
        ("factur-x.xml", b"MZ\x90", True),
        ("x.exe", b"MZ", True),
        ("notes.xml", b"<a/>", True),
        ("factur-x.xml.exe", b"<a/>", True),
    ],
)
def test_files_in_it(name: str, content: bytes, is_refused: bool) -> None:
    problem = active_problem(changed(lambda w: w.add_attachment(name, content)))
    assert problem == (Problem(code="attachment", detail=name) if is_refused else None)


@pytest.mark.parametrize(
    "change",
    [
        lambda w: None,
        opens(ArrayObject([NullObject(), NameObject("/Fit")])),
        opens(names(S="/GoTo", D=ArrayObject())),
        link(names(S="/URI", URI=TextStringObject("https://partner.example"))),
    ],
)
async def test_what_ordinary_programs_write_is_accepted(change: Change) -> None:
    pdf = changed(change)
    assert active_problem(pdf) is None
    assert (await check_invoice(pdf, EXPECTED)).accepted


@needs("pango")
def test_our_own_invoices_have_nothing_of_it() -> None:
    assert active_problem(draft_invoice(statement(3)).pdf) is None


@needs("pango")
def test_a_statement_has_files_for_programs() -> None:
    problem = active_problem(render(statement(3)).pdf)
    assert problem is not None
    assert problem.code == "attachment"


def test_a_loop_of_objects_has_an_end() -> None:
    def change(writer: PdfWriter) -> None:
        loop = names(A=NullObject())
        loop[NameObject("/A")] = writer._add_object(loop)
        writer.root_object[NameObject("/Loop")] = loop

    assert active_problem(changed(change)) is None
