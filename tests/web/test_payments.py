"""From the statement to the payment, as programs see it: invoice in one step, approval, return, payments, tables."""

import asyncio
import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pypdf
import pytest
import pytest_asyncio
from sqlalchemy import update

from records.tables import partners
from tests.server.surroundings import eventually
from tests.web.firms import Firm, firm
from tests.web.site import API, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

ZURICH = ZoneInfo("Europe/Zurich")


def today() -> date:
    """The local day."""
    return datetime.now(ZURICH).date()


def text_of(pdf: bytes) -> str:
    """What another PDF library reads."""
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def own(number: str, day: date | None = None) -> dict[str, str]:
    """The body of `make-invoice`."""
    return {"invoice_number": number, "invoice_date": (day or today()).isoformat()}


async def issued(cmi: Site, *fees: str, **about: Any) -> tuple[Firm, dict[str, Any]]:
    """A firm and its settlement, which begins with its statement."""
    one = await firm(cmi, **about)
    return one, await one.begun_issued(*fees)


async def by_accounting(cmi: Site, number: str, call: str, body: Any = None) -> httpx.Response:
    """A call of accounting about a settlement."""
    path = f"{API}/settlements/{number}/{call}"
    return await cmi.accounting.post(path, json={} if body is None else body)


async def approved(cmi: Site, one: Firm, number: str, invoice: str) -> None:
    """Have the invoice made and approved."""
    made = await one.post(number, "make-invoice", own(invoice))
    assert made.json()["accepted"], made.text
    answer = await by_accounting(cmi, number, "approve")
    assert answer.status_code == 200, answer.text


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def waiting(cmi: Site) -> tuple[Firm, dict[str, Any]]:
    """A firm whose settlement is issued, and stays so."""
    return await issued(cmi, "129.00")


# --- the invoice in one step -------------------------------------------------------------------------------------


async def test_the_invoice_in_one_step_then_approved_and_paid(cmi: Site) -> None:
    one, settlement = await issued(cmi, "129.00", "80.00")
    number = settlement["settlement_id"]
    numbers = cmi.app.state.settlement_use_cases.papers._numbers
    await numbers.reserve("elektro-huber", "R-2026/117", "V202601-33333333", datetime.now(UTC))
    answer = await one.post(number, "make-invoice", own("R-2026/117"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"], "another partner may use the same number"
    assert not answer.json()["problems"]
    seen = await one.reaches(number, "invoiced")
    assert (seen["invoice_number"], seen["invoice_date"]) == ("R-2026/117", today().isoformat())
    assert seen["allowed"] == []
    entry = seen["timeline"][-1]
    assert entry["type"] == "invoice_accepted"
    assert entry["data"]["invoice"] == {"number": "R-2026/117", "date": today().isoformat()}
    assert "R-2026/117" in entry["text"]

    pdf = (await one.http.get(f"{API}/settlements/{number}/invoice.pdf")).content
    text = text_of(pdf)
    for shown in ("Rechnung R-2026/117", number, f"{today():%d.%m.%Y}", settlement["total"]):
        assert shown in text
    assert "Entwurf" not in text
    assert "(Entwurf)" not in str(pypdf.PdfReader(io.BytesIO(pdf)).metadata)

    looked = (await cmi.accounting.get(f"{API}/settlements/{number}")).json()
    assert looked["allowed"] == ["approve", "return"]
    early = await by_accounting(cmi, number, "paid", {"paid_on": today().isoformat()})
    assert (early.status_code, early.json()["code"]) == (409, "wrong_state")
    assert early.json()["allowed"] == ["approve", "return"]
    answer = await by_accounting(cmi, number, "approve")
    assert (answer.status_code, answer.json()["status"]) == (200, "approved")
    again = await by_accounting(cmi, number, "approve")
    assert (again.status_code, again.json()["settlement_status"]) == (409, "approved")
    paid = {"paid_on": today().isoformat(), "reference": "2026-4711"}
    answer = await by_accounting(cmi, number, "paid", paid)
    assert (answer.status_code, answer.json()["status"]) == (200, "paid")
    seen = (await one.http.get(f"{API}/settlements/{number}")).json()
    assert (seen["status"], seen["paid_on"]) == ("paid", today().isoformat())
    assert seen["payment_reference"] == "2026-4711"
    assert [e["type"] for e in seen["timeline"]][-3:] == [
        "invoice_accepted",
        "invoice_approved",
        "invoice_paid",
    ]
    once_more = await by_accounting(cmi, number, "paid", paid)
    assert (once_more.status_code, once_more.json()["version"]) == (200, seen["version"])
    other = await by_accounting(cmi, number, "paid", {**paid, "reference": "another"})
    assert (other.status_code, other.json()["settlement_status"]) == (409, "paid")


async def test_of_many_calls_at_once_one_invoice_is_made(cmi: Site) -> None:
    one, settlement = await issued(cmi, "129.00")
    number = settlement["settlement_id"]
    answers = await asyncio.gather(
        *(one.post(number, "make-invoice", own(f"R-{n}")) for n in range(3))
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    back = await by_accounting(cmi, number, "return", {"reason": "Noch einmal"})
    assert back.status_code == 200, back.text
    # the same one
    answers = await asyncio.gather(
        *(one.post(number, "make-invoice", own("R-11")) for _ in range(4))
    )
    assert [answer.status_code for answer in answers] == [200] * 4, answers[0].text
    assert all(answer.json()["accepted"] for answer in answers)
    answer = await one.post(number, "make-invoice", own("R-11"))
    assert answer.json()["accepted"]
    seen = (await one.http.get(f"{API}/settlements/{number}")).json()
    assert [e["type"] for e in seen["timeline"]].count("invoice_accepted") == 2
    other = await one.post(number, "make-invoice", own("R-12"))
    assert (other.status_code, other.json()["code"]) == (409, "wrong_state")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"invoice_number": "", "invoice_date": "TODAY"}, "invoice_number"),
        ({"invoice_number": "x" * 36, "invoice_date": "TODAY"}, "invoice_number"),
        ({"invoice_number": "R\n1", "invoice_date": "TODAY"}, "invoice_number"),
        ({"invoice_number": "R\u202e1", "invoice_date": "TODAY"}, "invoice_number"),
        ({"invoice_number": 7, "invoice_date": "TODAY"}, "invoice_number"),
        ({"invoice_date": "TODAY"}, "invoice_number"),
        ({"invoice_number": "R-1"}, "invoice_date"),
        ({"invoice_number": "R-1", "invoice_date": "TOMORROW"}, "invoice_date"),
        ({"invoice_number": "R-1", "invoice_date": "BEFORE"}, "invoice_date"),
        ({"invoice_number": "R-1", "invoice_date": "2026-02-30"}, "invoice_date"),
        ({"invoice_number": "R-1", "invoice_date": "TODAY", "iban": "x"}, "iban"),
    ],
)
async def test_what_is_wrong_with_an_invoice_is_named(
    cmi: Site, waiting: tuple[Firm, dict[str, Any]], body: dict[str, Any], field: str
) -> None:
    one, settlement = waiting
    days = {
        "TODAY": today(),
        "TOMORROW": today() + timedelta(days=1),
        "BEFORE": today().replace(day=1) - timedelta(days=1),
    }
    body = {k: days[v].isoformat() if v in days else v for k, v in body.items()}
    answer = await one.post(settlement["settlement_id"], "make-invoice", body)
    assert answer.status_code == 422, answer.text
    assert [error["field"] for error in answer.json()["errors"]] == [field]


async def test_an_invoice_needs_an_iban(cmi: Site, waiting: tuple[Firm, dict[str, Any]]) -> None:
    one, settlement = waiting
    number = settlement["settlement_id"]
    for iban, code in ((None, "no_iban"), ("CH4431999123000889012", "unusable_iban")):
        await registered(cmi, one, iban)
        answer = await one.post(number, "make-invoice", own("R-1"))
        assert (answer.status_code, answer.json()["code"]) == (409, code), answer.text
        assert "IBAN" in answer.json()["detail"]
    await registered(cmi, one, "CH9300762011623852957")


async def registered(cmi: Site, one: Firm, iban: str | None) -> None:
    """Put another IBAN into the records, as if two persons of operations had changed it."""
    async with cmi.around.database.writing() as connection:
        which = partners.c.partner_id == one.partner_id
        await connection.execute(update(partners).where(which).values(iban=iban))


async def test_a_number_belongs_to_one_settlement(
    cmi: Site, waiting: tuple[Firm, dict[str, Any]]
) -> None:
    one, settlement = waiting
    numbers = cmi.app.state.settlement_use_cases.papers._numbers
    await numbers.reserve(one.partner_id, "R-2026 9", "V202601-22222222", datetime.now(UTC))
    answer = await one.post(settlement["settlement_id"], "make-invoice", own("r-20269"))
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == "invoice_number"


async def test_a_draft_is_no_invoice(cmi: Site, waiting: tuple[Firm, dict[str, Any]]) -> None:
    one, settlement = waiting
    number = settlement["settlement_id"]
    draft = (await one.http.get(f"{API}/settlements/{number}/draft-invoice.pdf")).content
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(draft))
    writer.metadata = None
    bare = io.BytesIO()
    writer.write(bare)
    for content in (draft, bare.getvalue()):
        answer = await one.upload(number, content)
        assert answer.status_code == 200
        assert not answer.json()["accepted"]
        assert answer.json()["problems"] == ["Das ist ein Entwurf, keine Rechnung."]


async def test_others_cannot_make_it(cmi: Site, waiting: tuple[Firm, dict[str, Any]]) -> None:
    number = waiting[1]["settlement_id"]
    path = f"{API}/settlements/{number}/make-invoice"
    assert (await cmi.stranger.post(path, json=own("R-1"))).status_code == 404
    assert (await cmi.accounting.post(path, json=own("R-1"))).status_code == 403
    for call, body in (
        ("approve", {}),
        ("return", {"reason": "x"}),
        ("paid", {"paid_on": today().isoformat()}),
    ):
        for caller in (cmi.operations, waiting[0].http, cmi.shop):
            answer = await caller.post(f"{API}/settlements/{number}/{call}", json=body)
            assert answer.status_code == 403, call


# --- returned ----------------------------------------------------------------------------------------------------


async def test_a_returned_invoice_is_awaited_again(cmi: Site) -> None:
    one, settlement = await issued(cmi, "129.00")
    number = settlement["settlement_id"]
    await approved(cmi, one, number, "R-1")
    pdf = (await one.http.get(f"{API}/settlements/{number}/invoice.pdf")).content
    empty = await by_accounting(cmi, number, "return", {"reason": " "})
    assert (empty.status_code, empty.json()["errors"][0]["field"]) == (422, "reason")
    answer = await by_accounting(cmi, number, "return", {"reason": "Die Adresse ist falsch."})
    assert (answer.status_code, answer.json()["status"]) == (200, "issued")
    seen = (await one.http.get(f"{API}/settlements/{number}")).json()
    assert seen["return_reason"] == "Die Adresse ist falsch."
    assert (seen["invoice_number"], seen["allowed"]) == (None, ["invoice"])
    assert datetime.fromisoformat(seen["invoice_due"]) > datetime.now(UTC) + timedelta(days=10)
    assert (await one.http.get(f"{API}/settlements/{number}/invoice.pdf")).status_code == 404
    assert "Die Adresse ist falsch." in seen["timeline"][-1]["text"]

    async def told() -> Any:
        return [
            mail
            for mail in cmi.around.inbox.mails(number)
            if f"{one.partner_id}@partner.example" in mail["To"]
            and "Die Adresse ist falsch." in mail.get_body(("plain",)).get_content()
        ]

    await eventually(told)
    for same in (
        (await one.post(number, "make-invoice", own("R-1"))).json(),
        (await one.upload(number, pdf)).json(),
    ):
        assert not same["accepted"], "it is the file that accounting returned"
        assert "Die Adresse ist falsch." in same["problems"][0]
    assert (await one.http.get(f"{API}/settlements/{number}")).json()["status"] == "issued"
    changed = await cmi.operations.patch(
        f"{API}/partners/{one.partner_id}", json={"street": "Badenerstrasse 5"}
    )
    assert changed.status_code == 200, changed.text
    assert (await one.post(number, "make-invoice", own("R-1"))).json()["accepted"]
    seen = (await one.http.get(f"{API}/settlements/{number}")).json()
    assert (seen["status"], seen["return_reason"]) == ("invoiced", None)


# --- payments ----------------------------------------------------------------------------------------------------


async def imported(
    cmi: Site, content: bytes | str, *, as_form: bool = False
) -> list[tuple[int, str, str | None]]:
    """The results of a file: line, result, column."""
    raw = content.encode() if isinstance(content, str) else content
    if as_form:
        answer = await cmi.accounting.post(
            f"{API}/payments", files={"file": ("zahlungen.csv", raw, "text/csv")}
        )
    else:
        answer = await cmi.accounting.post(
            f"{API}/payments", content=raw, headers={"Content-Type": "text/csv"}
        )
    assert answer.status_code == 200, answer.text
    rows = answer.json()["rows"]
    assert sum(answer.json()["counts"].values()) == len(rows)
    assert all(row["text"] for row in rows)
    return [(row["line"], row["result"], row["column"]) for row in rows]


async def test_a_file_of_payments(cmi: Site, waiting: tuple[Firm, dict[str, Any]]) -> None:
    firms = [*await asyncio.gather(*(issued(cmi, "129.00") for _ in range(3))), waiting]
    numbers = [settlement["settlement_id"] for _, settlement in firms]
    total = firms[0][1]["total"]
    for number in numbers[:3]:
        for call in ("invoice-received", "approve"):
            answer = await by_accounting(cmi, number, call)
            assert answer.status_code == 200, answer.text
    day = today()
    file = "\r\n".join(
        [
            "settlement_id;amount;paid_on;reference",
            f"{numbers[0]};{total};{day};2026-1",
            f"{numbers[1]};{total.replace('.', ',')};{day.day}.{day.month}.{day.year};",
            f"{numbers[2]};{total}1;{day};2026-3",
            f"{numbers[2]};1.00;{day};2026-3",
            f"{numbers[3]};{total};{day};2026-4",
            f"V202601-22222222;{total};{day};2026-5",
            f"{numbers[2]};viel;{day};",
            f"{numbers[2]};{total};morgen;",
            f"{numbers[2]};{total};{day + timedelta(days=1)};",
            f'"{numbers[2]};{total};{day};',
            "",
            f"{numbers[0]};{total};{day};2026-1",
        ]
    )
    assert await imported(cmi, "\ufeff" + file) == [
        (2, "paid", None),
        (3, "paid", None),
        (4, "bad_row", "amount"),
        (5, "amount_differs", "amount"),
        (6, "not_approved", "settlement_id"),
        (7, "unknown_settlement", "settlement_id"),
        (8, "bad_row", "amount"),
        (9, "bad_row", "paid_on"),
        (10, "bad_row", "paid_on"),
        (11, "bad_row", None),
        (13, "already_paid", None),
    ]
    seen = (await firms[1][0].http.get(f"{API}/settlements/{numbers[1]}")).json()
    assert (seen["status"], seen["paid_on"]) == ("paid", day.isoformat())
    version = seen["version"]
    again = await imported(cmi, file, as_form=True)
    assert [result for _, result, _ in again if result in ("paid", "already_paid")] == [
        "already_paid"
    ] * 3
    seen = (await firms[1][0].http.get(f"{API}/settlements/{numbers[1]}")).json()
    assert seen["version"] == version, "importing it again changes nothing"
    assert (await firms[2][0].http.get(f"{API}/settlements/{numbers[2]}")).json()[
        "status"
    ] == "approved"
    commas = f"PAID_ON,settlement_id,Amount\n{day},{numbers[2].lower()},{total}\n"
    answers = await asyncio.gather(imported(cmi, commas), imported(cmi, commas))
    assert {result for answer in answers for _, result, _ in answer} <= {"paid", "already_paid"}
    seen = (await firms[2][0].http.get(f"{API}/settlements/{numbers[2]}")).json()
    assert [e["type"] for e in seen["timeline"]].count("invoice_paid") == 1


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xef\xbb\xbf",
        b"settlement_id;amount;paid_on\r\n",
        b"settlement_id;amount\r\nV;1.00\r\n",
        b"settlement_id;amount;paid_on;iban\r\nV;1.00;2026-01-01;CH\r\n",
        b"settlement_id;amount;paid_on;amount\r\nV;1.00;2026-01-01;1\r\n",
        "settlement_id;amount;paid_on\r\nZürich;1.00;2026-01-01\r\n".encode("latin-1"),
        b"settlement_id;amount;paid_on\r\n" + b"V;1.00;2026-01-01\r\n" * 2001,
    ],
)
async def test_what_is_no_file_of_payments(cmi: Site, content: bytes) -> None:
    answer = await cmi.accounting.post(
        f"{API}/payments", content=content, headers={"Content-Type": "text/csv"}
    )
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["field"] == "file"
    nothing = await cmi.accounting.post(
        f"{API}/payments", files={"other": ("x.csv", b"", "text/csv")}
    )
    assert nothing.status_code == 422


# --- tables ------------------------------------------------------------------------------------------------------


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    """The rows of a table for a spreadsheet."""
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig")), delimiter=";"))


async def test_the_journal_of_a_month(cmi: Site) -> None:
    one, settlement = await issued(cmi, "129.00", "80.05")
    two = await firm(cmi, liable=False)
    other = await two.issued(await two.completed("50.00"))
    number = settlement["settlement_id"]
    await approved(cmi, one, number, "=1+1")
    await by_accounting(cmi, number, "paid", {"paid_on": today().isoformat(), "reference": "+41"})
    answer = await cmi.accounting.get(
        f"{API}/reports/journal", params={"month": settlement["month"]}
    )
    by_number = {row["settlement_id"]: row for row in rows_of(answer)}
    row = by_number[number]
    assert (row["net"], row["vat"], row["gross"]) == (
        settlement["net"],
        settlement["vat"],
        settlement["total"],
    )
    assert (row["vat_rate"], row["state"], row["partner_id"]) == ("8.1", "paid", one.partner_id)
    assert row["invoice_number"] == "'=1+1", "no formula"
    assert row["payment_reference"] == "'+41"
    days = ("invoice_date", "issued_on", "invoiced_on", "approved_on", "paid_on")
    assert {row[name] for name in days} == {today().isoformat()}
    row = by_number[other["settlement_id"]]
    assert (row["vat_rate"], row["net"], row["vat"], row["gross"]) == ("", "50.00", "0.00", "50.00")
    assert (row["state"], row["invoice_number"], row["paid_on"]) == ("issued", "", "")
    assert two.partner_id == row["partner_id"]
    empty = await cmi.accounting.get(f"{API}/reports/journal", params={"month": "2020-01"})
    assert rows_of(empty) == []
    for caller in (cmi.operations, one.http, cmi.shop):
        refused = await caller.get(f"{API}/reports/journal", params={"month": "2020-01"})
        assert refused.status_code == 403


async def test_the_accruals_of_a_day(cmi: Site) -> None:
    one, settlement = await issued(cmi, "129.00")
    billed = settlement["orders"][0]["sp_id"]
    waiting_, voided = await one.completed("80.00", "70.00")

    async def accrued(day: date) -> dict[str, dict[str, str]]:
        answer = await cmi.accounting.get(
            f"{API}/reports/accruals", params={"day": day.isoformat()}
        )
        return {row["sp_id"]: row for row in rows_of(answer) if row["partner_id"] == one.partner_id}

    found = await accrued(today())
    assert set(found) == {waiting_, voided}
    row = found[waiting_]
    assert (row["net"], row["as_of"]) == ("80.00", today().isoformat())
    order = (await one.http.get(f"{API}/orders/{waiting_}")).json()
    assert row["executed_on"] == order["executed_on"]
    assert order["customer"]["name"] not in ",".join(row.values())
    assert await accrued(date.fromisoformat(order["executed_on"]) - timedelta(days=1)) == {}
    future = await cmi.accounting.get(
        f"{API}/reports/accruals", params={"day": (today() + timedelta(days=1)).isoformat()}
    )
    assert (future.status_code, future.json()["errors"][0]["field"]) == (422, "day")
    void = await cmi.operations.post(
        f"{API}/settlements/{settlement['settlement_id']}/void", json={"reason": "falsch"}
    )
    assert void.status_code == 200

    async def released() -> bool:
        return set(await accrued(today())) == {billed, waiting_, voided}

    await eventually(released)
