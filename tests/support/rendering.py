"""Renders documents as production does, in a process that has not used Pango yet: a fork would lose its threads."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

from invoices import draft
from statements.data import Document, StatementData
from tests.support.needs import require

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(["invoices.draft", "statements.document"])


def render(data: StatementData, *, processes: int = 2) -> Document:
    """`statements.document.render`, and raises what it does. Skips the test where there is no Pango."""
    require("pango")
    from statements import document  # loads WeasyPrint

    with ProcessPoolExecutor(1, _FORKS) as fresh:
        return fresh.submit(document.render, data, processes=processes).result()


def draft_invoice(data: StatementData) -> Document:
    """`invoices.draft.draft_invoice`, and raises what it does. Skips the test where there is no Pango."""
    require("pango")
    with ProcessPoolExecutor(1, _FORKS) as fresh:
        return fresh.submit(draft.draft_invoice, data).result()
