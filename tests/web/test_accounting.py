"""What accounting keeps of a month, as programs see it: all lines as CSV, all papers as one ZIP file."""

import csv
import io
import re
import zipfile
from datetime import datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio
from sqlalchemy import delete

from records.tables import papers
from tests.web.firms import Firm, firm
from tests.web.site import API, Site
from tests.web.test_payments import approved, by_accounting, rows_of, today

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def month_of(cmi: Site, what: str, month: str) -> httpx.Response:
    """What accounting keeps of a month."""
    return await cmi.accounting.get(f"{API}/reports/{what}", params={"month": month})


def files_of(answer: httpx.Response) -> dict[str, bytes]:
    """The files in a ZIP file by name; it must be whole."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def table_of(content: bytes) -> list[dict[str, str]]:
    """The rows of a CSV file."""
    text = content.decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text), delimiter=";"))


async def issued(cmi: Site, *fees: str) -> tuple[Firm, dict[str, Any]]:
    """A firm and its settlement, whose statement was made."""
    one = await firm(cmi)
    return one, await one.issued(await one.completed(*fees))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def listed(cmi: Site) -> tuple[Firm, dict[str, Any]]:
    """A firm whose settlement of two orders is issued and stays so. One test deletes its CSV."""
    return await issued(cmi, "129.00", "80.05")


async def test_all_lines_of_a_month(cmi: Site, listed: tuple[Firm, dict[str, Any]]) -> None:
    one, settlement = listed
    number = settlement["settlement_id"]
    rows = rows_of(await month_of(cmi, "lines", settlement["month"]))
    mine = [row for row in rows if row["settlement_id"] == number]
    assert {(row["net"], row["vat_rate"], row["kind"]) for row in mine} == {
        ("129.00", "8.1", "order"),
        ("80.05", "8.1", "order"),
    }
    assert {row["sp_id"] for row in mine} == {line["sp_id"] for line in settlement["orders"]}
    assert {(row["partner_id"], row["state"]) for row in mine} == {(one.partner_id, "issued")}
    empty = await month_of(cmi, "lines", "2020-01")
    assert rows_of(empty) == []
    assert empty.text.startswith("\ufeffmonth;settlement_id;")


async def test_all_papers_of_a_month(cmi: Site) -> None:
    one, settlement = await issued(cmi, "129.00")
    number, month = settlement["settlement_id"], settlement["month"]
    await approved(cmi, one, number, "R-1")
    await by_accounting(cmi, number, "paid", {"paid_on": today().isoformat(), "reference": ""})
    _, voided = await issued(cmi, "50.00")
    void_number = voided["settlement_id"]
    void: Any = await cmi.operations.post(
        f"{API}/settlements/{void_number}/void", json={"reason": "=wrong"}
    )
    assert void.status_code == 200, void.text
    answer = await month_of(cmi, "papers", month)
    assert answer.headers["Content-Disposition"] == f'attachment; filename="papers-{month}.zip"'
    files = files_of(answer)
    for what in ("statement.pdf", "statement.csv", "invoice.pdf"):
        single = await cmi.accounting.get(f"{API}/settlements/{number}/{what}")
        assert files[f"{number}/{number}-{what}"] == single.content, what
    assert f"void/{void_number}/{void_number}-statement.pdf" in files
    assert not any(name.startswith(f"{void_number}/") for name in files)
    assert number in {row["settlement_id"] for row in table_of(files[f"journal-{month}.csv"])}
    lines = table_of(files[f"lines-{month}.csv"])
    assert number in {row["settlement_id"] for row in lines}
    assert void_number not in {row["settlement_id"] for row in lines}
    decided = [
        (row["settlement_id"], row["decision"], row["by"])
        for row in table_of(files[f"decisions-{month}.csv"])
    ]
    mine = [each for each in decided if each[0] == number]
    assert [what for _, what, _ in mine] == ["invoice_approved", "invoice_paid"]
    assert all(by.startswith("accounting:") for _, _, by in mine), mine
    assert [what for of, what, _ in decided if of == void_number] == ["voided"]
    days = [row["at"] for row in table_of(files[f"decisions-{month}.csv"])]
    assert days == sorted(days)
    assert datetime.fromisoformat(days[0]).tzinfo is not None
    assert all(re.fullmatch(r"[A-Za-z0-9/.-]+", name) for name in files), "no name from outside"


async def test_a_paper_that_is_not_there_is_named(
    cmi: Site, listed: tuple[Firm, dict[str, Any]]
) -> None:
    _, settlement = listed
    number = settlement["settlement_id"]
    lost = delete(papers).where(papers.c.settlement_id == number, papers.c.kind == "statement_csv")
    async with cmi.app.state.database.writing() as connection:
        await connection.execute(lost)
    files = files_of(await month_of(cmi, "papers", settlement["month"]))
    assert f"{number}/{number}-statement.pdf" in files
    assert f"{number}/{number}-statement.csv" in files["missing.txt"].decode().splitlines()


@pytest.mark.parametrize("what", ["lines", "papers"])
async def test_they_are_for_accounting(cmi: Site, what: str) -> None:
    for caller in (cmi.operations, cmi.shop, cmi.warehouse):
        refused = await caller.get(f"{API}/reports/{what}", params={"month": "2026-10"})
        assert refused.status_code == 403
    wrong = await month_of(cmi, what, "2026-13")
    assert wrong.status_code == 422
