"""Renders documents in a separate process, because WeasyPrint changes the environment, which other tests inherit."""

import importlib
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Event

import pytest

from documents import confined
from documents.confined import ConfinedError, Limits
from invoices import draft
from statements.data import Document, InvoiceData, StatementData
from tests.support.needs import require

PICTURES = "documents.picture_process"
"""Stays confined: WeasyPrint has its process read truncated pictures, which are refused there."""
_run_confined = confined._run


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


@contextmanager
def one_process_for_documents() -> Iterator[None]:
    """Documents are made and checked in a process that stays, and not in a new one each.

    A new process loads its libraries for a second, which is most of a settlement's time. What confines the new ones,
    and that workers use them, is tested in tests/statements and tests/server.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(confined, "_run", _run)
        yield


@pytest.fixture(scope="module", autouse=True)
def running_documents() -> Iterator[None]:
    """Documents of a module's tests are made in a process that stays. Fixtures of the module run after this one."""
    with one_process_for_documents():
        yield


def _run(module: str, data: bytes, limits: Limits, given_up: Event) -> bytes:
    if module == PICTURES:
        return _run_confined(module, data, limits, given_up)
    try:
        return _renderer().submit(_main, module, data).result()
    except Exception as error:
        raise ConfinedError("failed", f"{module}: {type(error).__name__}") from error


def _main(module: str, data: bytes) -> bytes:
    made: bytes = importlib.import_module(module).main(data)
    return made
