"""Renders documents in a process of its own: WeasyPrint changes the environment, which others here pass on."""

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
    """`statements.document.render`, and raises what it does. Skips the test where there is no Pango."""
    return _renderer().submit(_render, data).result()


def _render(data: StatementData) -> Document:
    from statements import document  # loads WeasyPrint

    return document.render(data)


def draft_invoice(data: StatementData) -> Document:
    """`invoices.draft.draft_invoice`, and raises what it does. Skips the test where there is no Pango."""
    return _renderer().submit(draft.draft_invoice, data).result()
