"""Settlements by the API: VAT on the sum, roundings and accounts of invoices, what follows a void one."""

import io
import json
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pypdf
import pytest

from domain.iban import in_fours
from domain.orders.commands import Cancel
from tests.invoices.papers import invoice, paper
from tests.support.builders import TRANSMITTED
from tests.web.begun import begun
from tests.web.firms import Firm, firm
from tests.web.site import API, Site
from tests.web.test_wrong_calls import fields

pytestmark = pytest.mark.asyncio(loop_scope="session")

FEES = ("10.06", "10.06", "10.06")  # 8.1 % of the sum: 2.44458; of each: 0.81486
OTHER = "CH4431999123000889012"


def text_of(pdf: bytes) -> str:
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def paper_of(
    seen: dict[str, Any], total: str, *, iban: str = "CH9300762011623852957", name: str = ""
) -> bytes:
    """An invoice of a settlement. `name` makes it another file."""
    sp_ids = [line["sp_id"] for line in seen["orders"]]
    lines = invoice(seen["settlement_id"], sp_ids, total, more=[name])
    return paper([*lines[:-1], f"Zahlbar auf IBAN {in_fours(iban)}"])


def today() -> str:
    return datetime.now(ZoneInfo("Europe/Zurich")).date().isoformat()


async def verdict(one: Firm, seen: dict[str, Any], content: bytes) -> dict[str, Any]:
    answer = await one.upload(seen["settlement_id"], content)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def void(cmi: Site, one: Firm, number: str) -> None:
    answer = await cmi.operations.post(f"{API}/settlements/{number}/void", json={"reason": "wrong"})
    assert answer.status_code == 200, answer.text


async def test_everything_says_the_same_centime(cmi: Site) -> None:
    one = await firm(cmi)
    seen = await one.issued(await one.completed(*FEES))
    assert [seen[name] for name in ("net", "vat", "total")] == ["30.18", "2.44", "32.62"]
    assert seen["vat_rates"] == [{"percent": "8.1", "net": "30.18", "vat": "2.44"}]
    assert {(line["fee"], line["vat"], line["vat_percent"]) for line in seen["orders"]} == {
        ("10.06", None, "8.1")
    }
    path = f"{API}/settlements/{seen['settlement_id']}"
    statement = await one.http.get(f"{path}/statement.pdf")
    draft = await one.http.get(f"{path}/draft-invoice.pdf")
    for pdf in (statement.content, draft.content):
        text = text_of(pdf)
        assert all(amount in text for amount in ("30.18", "2.44", "32.62"))
        assert "0.81" not in text
    attached = pypdf.PdfReader(io.BytesIO(statement.content)).attachments
    program = json.loads(attached[f"{seen['settlement_id']}.json"][0])
    assert (program["vat"], program["total"]) == ("2.44", "32.62")
    assert program["vat_rates"] == seen["vat_rates"]
    table = (await one.http.get(f"{path}/statement.csv")).text
    header, *rows = table.lstrip("\ufeff").splitlines()
    assert header.split(";")[-2:] == ["net", "vat_percent"]
    assert [row.split(";")[-2:] for row in rows] == [["10.06", "8.1"]] * 3


async def test_an_invoice_may_round_otherwise(cmi: Site) -> None:
    one = await firm(cmi)
    seen = await one.begun_issued(*FEES)
    path = f"{API}/settlements/{seen['settlement_id']}"
    for wrong in ("32.63", "32.59"):
        assert not (await verdict(one, seen, paper_of(seen, wrong)))["accepted"]
    for total in ("32.61", "32.60"):
        assert (await verdict(one, seen, paper_of(seen, total)))["accepted"]
        assert (await one.http.get(path)).json()["invoice_total"] == total
        if total != "32.60":
            back = await cmi.accounting.post(f"{path}/return", json={"reason": "Noch einmal"})
            assert back.status_code == 200, back.text
    assert (await cmi.accounting.post(f"{path}/approve", json={})).status_code == 200
    # What is paid is the total of this invoice, not that of one that was returned.
    for paid, counted in (("32.61", "amount_differs"), ("32.60", "paid")):
        table = f"settlement_id;amount;paid_on\n{seen['settlement_id']};{paid};{today()}\n"
        answer = await cmi.accounting.post(
            f"{API}/payments", content=table, headers={"Content-Type": "text/csv"}
        )
        assert answer.json()["counts"].get(counted) == 1, answer.text


async def test_vat_from_a_day_on(cmi: Site) -> None:
    one = await firm(cmi)
    path = f"{API}/partners/{one.partner_id}"
    changed = await cmi.operations.patch(path, json={"vat_liable_from": "2999-01-01"})
    assert changed.status_code == 200, changed.text
    seen = await one.issued(await one.completed("100.00"))
    assert [seen[name] for name in ("net", "vat", "total")] == ["100.00", "0.00", "100.00"]
    assert seen["vat_rates"] == []
    assert seen["orders"][0]["vat_percent"] is None


# --- a void settlement is followed by another --------------------------------------------------------------------


async def test_another_follows_a_void_one(cmi: Site) -> None:
    one = await firm(cmi)
    issued = await one.begun_issued("100.00")
    first = issued["settlement_id"]
    sp_ids = [issued["orders"][0]["sp_id"], *await one.completed("50.00")]
    assert (await one.settle(sp_ids)).status_code == 409, "the first one is not void"
    await void(cmi, one, first)
    # At once: it waits until the orders are free again.
    second = await one.opened(sp_ids)
    number = second["settlement_id"]
    assert number == f"{first}-2"
    assert second["left_out"] == []
    seen = await one.reaches(number, "issued")
    assert (len(seen["orders"]), seen["total"]) == (2, "162.15")
    busy = await one.settle(sp_ids)
    assert (busy.status_code, busy.json()["settlement_id"]) == (409, number)
    for sp_id in sp_ids:
        order = (await one.http.get(f"{API}/orders/{sp_id}")).json()
        assert (order["status"], order["settlement_id"]) == ("billed", number)
    assert (await verdict(one, {**seen, "settlement_id": number}, paper_of(seen, "162.15")))[
        "accepted"
    ]
    listed = (await one.http.get(f"{API}/settlements")).json()["items"]
    assert [(each["settlement_id"], each["status"]) for each in listed] == [
        (number, "invoiced"),
        (first, "void"),
    ]


async def test_the_third_of_a_month_and_its_papers(cmi: Site) -> None:
    one = await firm(cmi)
    issued = await one.begun_issued("100.00")
    first, sp_ids = issued["settlement_id"], [issued["orders"][0]["sp_id"]]
    await void(cmi, one, first)
    second = (await one.issued(sp_ids))["settlement_id"]
    await void(cmi, one, second)
    third = await one.issued(sp_ids)
    number = third["settlement_id"]
    assert number == f"{first}-3"
    path = f"{API}/settlements/{number}"
    assert number in text_of((await one.http.get(f"{path}/statement.pdf")).content)
    assert (await one.http.get(f"{API}/settlements/{second}/statement.pdf")).status_code == 200
    of_the_second = {**third, "settlement_id": second}
    wrong = (await one.upload(number, paper_of(of_the_second, "108.10"))).json()
    assert (wrong["accepted"], len(wrong["problems"])) == (False, 2)


async def test_a_repeated_request_opens_no_other_one(cmi: Site) -> None:
    one = await firm(cmi)
    sp_ids = await one.completed("100.00")
    opened = await one.settle(sp_ids, Idempotency_Key="once")
    first = opened.json()["settlement_id"]
    await one.reaches(first, "issued")
    await void(cmi, one, first)
    assert (await one.settle(sp_ids, Idempotency_Key="once")).json()["settlement_id"] == first
    (only,) = (await one.http.get(f"{API}/settlements")).json()["items"]
    assert only["settlement_id"] == first


# --- accounts ----------------------------------------------------------------------------------------------------


async def test_accounting_decides_about_another_account(cmi: Site) -> None:
    one = await firm(cmi)
    seen = await one.begun_issued("100.00")
    path = f"{API}/settlements/{seen['settlement_id']}"
    file = paper_of(seen, "108.10", iban=OTHER)
    said = await verdict(one, seen, file)
    assert (said["accepted"], said["accounting_decides"]) == (False, True)
    assert (said["missing"], said["foreign"]) == ([], [])
    assert "CH44 … 9012" in said["problems"][0]
    assert await verdict(one, seen, file) == said, "the same file, the same verdict"
    held = (await cmi.accounting.get(path)).json()
    assert (held["status"], held["accounting_decides"]) == ("issued", True)
    assert {"accept_invoice", "refuse_invoice"} <= set(held["allowed"])
    assert (await cmi.accounting.get(f"{path}/invoice.pdf")).content == file

    decision = f"{path}/invoice-decision"
    assert (await one.http.post(decision, json={"decision": "accept"})).status_code == 403
    assert fields((await cmi.accounting.post(decision, json={"decision": "return"})).json()) == {
        "reason"
    }
    back = {"decision": "return", "reason": "Not your account"}
    returned = await cmi.accounting.post(decision, json=back)
    assert returned.status_code == 200, returned.text
    assert (returned.json()["status"], returned.json()["accounting_decides"]) == ("issued", False)
    assert returned.json()["return_reason"] == "Not your account"
    assert (await cmi.accounting.post(decision, json={"decision": "accept"})).status_code == 409

    another = paper_of(seen, "108.10", iban=OTHER, name="Zweiter Versuch")
    assert (await verdict(one, seen, another))["accounting_decides"]
    accepted = await cmi.operations.post(decision, json={"decision": "accept"})
    assert accepted.status_code == 200, accepted.text
    assert (accepted.json()["status"], accepted.json()["accounting_decides"]) == (
        "invoiced",
        False,
    )
    assert (await one.http.get(f"{path}/invoice.pdf")).content == another


async def test_a_changed_account_counts_once_it_is_confirmed(cmi: Site) -> None:
    one = await firm(cmi)
    seen = await one.begun_issued("100.00")
    path = f"{API}/partners/{one.partner_id}"
    changed = (await cmi.operations.patch(path, json={"iban": OTHER})).json()
    file = paper_of(seen, "108.10", iban=OTHER)
    assert (await verdict(one, seen, file))["accounting_decides"]
    _, token = await cmi.app.state.accounts.tokens.make("operations", "second person")
    confirmed = await cmi.nobody.post(
        f"{path}/iban-changes/{changed['pending_iban_change']}/confirm",
        json={},
        headers={"Authorization": f"Bearer {token}"},
    )
    assert confirmed.status_code == 200, confirmed.text
    again = paper_of(seen, "108.10", iban=OTHER, name="Noch einmal")
    assert (await verdict(one, seen, again))["accepted"]


# --- corrections, the month --------------------------------------------------------------------------------------


async def test_a_correction_of_a_cancelled_order(cmi: Site) -> None:
    """A trip in vain: the partner had the order when it was cancelled."""
    one = await firm(cmi)
    cancel = Cancel(reason="withdrawn")
    mine = await begun(cmi, *TRANSMITTED, cancel, partner_id=one.partner_id)
    foreign = await begun(cmi, *TRANSMITTED, cancel)
    open_one = await begun(cmi, *TRANSMITTED, partner_id=one.partner_id)
    prepaid = await begun(cmi, cancel, partner_id=one.partner_id, prepaid=True)
    path = f"{API}/partners/{one.partner_id}/corrections"
    for sp_id in (foreign, open_one, prepaid):
        body = {"sp_id": sp_id, "amount": "45.00", "reason": "trip in vain"}
        assert fields((await cmi.operations.post(path, json=body)).json()) == {"sp_id"}
    body = {"sp_id": mine, "amount": "45.00", "reason": "trip in vain"}
    assert (await cmi.operations.post(path, json=body)).status_code == 201
    seen = await one.issued(await one.completed("100.00"))
    assert [(each["sp_id"], each["amount"]) for each in seen["corrections"]] == [(mine, "45.00")]
    assert [seen[name] for name in ("net", "vat", "total")] == ["145.00", "11.75", "156.75"]


async def test_the_month_still_runs(cmi: Site) -> None:
    one = await firm(cmi)
    opened = await one.begun_issued("100.00")
    headers = {"Accept-Language": "de"}
    path = f"{API}/settlements/{opened['settlement_id']}"
    said = (await one.http.get(path, headers=headers)).json()["month_note"]
    assert said.startswith("Der Monat läuft noch: ")
