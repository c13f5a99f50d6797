"""Renders documents in a separate process, because WeasyPrint changes the environment, which other tests inherit."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from functools import cache

from invoices import draft
from statements.data import Document, StatementData
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
    """Call `invoices.draft.draft_invoice` in that process, with its errors. Skips the test if Pango is missing."""
    return _renderer().submit(draft.draft_invoice, data).result()
