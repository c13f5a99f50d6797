"""Renders documents in a separate process, because WeasyPrint changes the environment, which other tests inherit."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import cache

from invoices import draft
from statements.data import Document, InvoiceData, StatementData
from tests.support.needs import require


@cache
def _renderer() -> ProcessPoolExecutor:
    require("pango")
    return ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))


def render(data: StatementData) -> Document:
    """Call `statements.document.render` in that process, with its errors. Skips the test if Pango is missing."""
    return _renderer().submit(_render, data).result()


def _render(data: StatementData) -> Document:
    from statements import document  # loads WeasyPrint

    return document.render(data)


def draft_invoice(data: StatementData) -> Document:
    """Make a draft with `invoices.draft.make_invoice` in that process, with its errors. Skips as `render`."""
    return own_invoice(data, None)


def own_invoice(data: StatementData, number: str | None) -> Document:
    """Make an invoice with `invoices.draft.make_invoice` in that process, with its errors. Skips as `render`."""
    about = InvoiceData.model_validate({**data.model_dump(), "invoice_number": number})
    return _renderer().submit(draft.make_invoice, about).result()
