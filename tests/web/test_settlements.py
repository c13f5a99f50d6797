"""Settlements as programs see them: from the selection to the checked invoice, and whatever goes wrong on the way."""

import asyncio
import hashlib
import io
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from zoneinfo import ZoneInfo

import pypdf
import pytest
import pytest_asyncio

import activities.papers
import use_cases.settlement_papers
from development.embedded import ROOT
from documents.confined import ConfinedError
from records.papers import Limit, invoice_id
from statements.data import Document
from temporal.connection import connect
from tests.invoices.papers import invoice, paper
from tests.server.surroundings import eventually
from tests.support.builders import TRANSMITTED
from tests.support.processes import run_python
from tests.web.begun import begun
from tests.web.firms import Firm, firm, sums
from tests.web.site import API, Site
from tests.web.test_wrong_calls import fields
from tests.workflows.life import DESK
from use_cases.opening import MOST_LEFT_OUT
from use_cases.principal import Principal
from use_cases.settlements import AlreadySettled, SettlementUseCases

pytestmark = pytest.mark.asyncio(loop_scope="session")

ZURICH = ZoneInfo("Europe/Zurich")
FEES = ("129.00", "99.95", "0.05", "75.30")


def month() -> str:
    """The current month, as the API writes it."""
    return datetime.now(ZURICH).strftime("%Y-%m")


def text_of(pdf: bytes) -> str:
    """What another PDF library reads, without its line breaks."""
    return "\n".join(page.extract_text() for page in pypdf.PdfReader(io.BytesIO(pdf)).pages)


def swiss(amount: str) -> str:
    """An amount as a Swiss person writes it."""
    francs, _, centimes = amount.partition(".")
    return f"{int(francs):,}".replace(",", "'") + f".{centimes}"


async def starter(cmi: Site, *arguments: str) -> tuple[int, str, str]:
    """A command of operations: exit code, what it printed, what it complained of."""
    ended = await run_python([str(ROOT / "starter.py"), *arguments], cmi.around.env)
    return ended.returncode, ended.stdout, ended.stderr


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def huber(cmi: Site) -> Firm:
    """A firm whose settlement of the month is issued, and stays so."""
    one = await firm(cmi)
    await one.begun_issued("129.00")
    return one


async def only(one: Firm) -> dict[str, Any]:
    """A firm's only settlement, in full."""
    (item,) = (await one.http.get(f"{API}/settlements")).json()["items"]
    found = await one.http.get(f"{API}/settlements/{item['settlement_id']}")
    return found.json()


# --- the way from one end to the other ---------------------------------------------------------------------------


async def test_from_the_selection_to_the_accepted_invoice(cmi: Site) -> None:
    one = await firm(cmi)
    sp_ids = [*await one.completed_by_calls(FEES[0]), *await one.completed(*FEES[1:])]
    unfinished = await begun(cmi, *TRANSMITTED, partner_id=one.partner_id)
    foreign = await begun(cmi, *TRANSMITTED)
    asked = [*sp_ids, sp_ids[0], "SP-NOWHERE", foreign, unfinished]
    answer = await one.settle(asked)
    opened = answer.json()
    assert answer.status_code == 201, answer.text
    number = opened["settlement_id"]
    assert answer.headers["Location"] == f"{API}/settlements/{number}"
    assert (opened["partner_id"], opened["month"]) == (one.partner_id, month())
    reasons = {each["sp_id"]: each["reason"] for each in opened["left_out"]}
    assert reasons == {
        "SP-NOWHERE": "unknown",
        foreign: "unknown",
        unfinished: "not_completed",
    }
    assert all(each["text"] for each in opened["left_out"])

    seen = await one.reaches(number, "issued")
    assert sorted(line["sp_id"] for line in seen["orders"]) == sorted(sp_ids)
    expected = sums(FEES)
    assert {name: seen[name] for name in expected} == expected
    assert seen["allowed"] == ["invoice"]
    assert datetime.fromisoformat(seen["invoice_due"]) > datetime.now(UTC) + timedelta(days=10)
    assert [entry["type"] for entry in seen["timeline"]] == [
        "opened",
        "selection_closed",
        "orders_claimed",
        "statement_issued",
    ]
    for sp_id in sp_ids:
        order = (await one.http.get(f"{API}/orders/{sp_id}")).json()
        assert (order["status"], order["settlement_id"]) == ("billed", number)
    assert (await one.http.get(f"{API}/orders/{unfinished}")).json()["status"] == "new"

    path = f"{API}/settlements/{number}"
    statement = await one.http.get(f"{path}/statement.pdf")
    assert statement.headers["Content-Type"] == "application/pdf"
    assert statement.headers["Content-Disposition"].startswith("attachment; filename*=UTF-8''")
    digest = hashlib.sha256(statement.content).hexdigest()
    assert statement.headers["ETag"] == f'"{digest}"'
    assert seen["statement"]["sha256"] == digest
    text = text_of(statement.content)
    for shown in (number, *sp_ids, swiss(expected["total"])):
        assert shown in text
    again = await one.http.get(
        f"{path}/statement.pdf", headers={"If-None-Match": statement.headers["ETag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    lines = await one.http.get(f"{path}/statement.csv")
    assert lines.headers["Content-Type"].startswith("text/csv")
    assert all(sp_id in lines.text for sp_id in sp_ids)
    assert (await cmi.accounting.get(f"{path}/statement.pdf")).content == statement.content
    await eventually(lambda: cmi.around.inbox.mails(number))

    draft = await one.http.get(f"{path}/draft-invoice.pdf")
    assert draft.status_code == 200, draft.text
    assert all(sp_id in text_of(draft.content) for sp_id in sp_ids)
    own = paper(invoice(number, sp_ids, expected["total"]))
    accepted = await one.upload(number, own)
    assert accepted.status_code == 200, accepted.text
    assert accepted.json() == {"accepted": True, "missing": [], "foreign": [], "problems": []}
    seen = (await one.http.get(path)).json()
    assert (seen["status"], seen["allowed"]) == ("invoiced", [])
    kept = await cmi.accounting.get(f"{path}/invoice.pdf")
    assert kept.content == own
    assert (await one.upload(number, own)).json()["accepted"], "twice is once"
    late = await one.upload(number, paper(["another one"]))
    assert late.status_code == 409
    assert late.json()["settlement_status"] == "invoiced"
    assert (await one.http.get(f"{path}/draft-invoice.pdf")).status_code == 404


async def test_operations_settle_in_a_partner_s_place(cmi: Site) -> None:
    one = await firm(cmi)
    sp_id, later = await one.completed("40.00", "2.00")
    foreign = await begun(cmi, *TRANSMITTED)
    for nobodys in ([sp_id, foreign], ["SP-NOWHERE"]):
        nameless = await cmi.operations.post(f"{API}/settlements", json={"sp_ids": nobodys})
        assert fields(nameless.json()) == {"partner_id"}
    body = {"sp_ids": [sp_id], "partner_id": one.partner_id}
    other = await cmi.stranger.post(f"{API}/settlements", json=body)
    assert other.status_code == 403
    nobody = {**body, "partner_id": "nobody"}
    unknown = await cmi.operations.post(f"{API}/settlements", json=nobody)
    assert fields(unknown.json()) == {"partner_id"}
    opened = await cmi.operations.post(f"{API}/settlements", json=body)
    assert opened.status_code == 201, opened.text
    by = opened.json()["timeline"][0]["by"]
    assert by == f"operations:operations's software for partner:{one.partner_id}"
    # Without a partner they mean the one whose orders they name.
    again = await cmi.operations.post(f"{API}/settlements", json={"sp_ids": [later]})
    assert again.status_code == 409
    assert again.json()["settlement_id"] == opened.json()["settlement_id"]


# --- one of a month ----------------------------------------------------------------------------------------------


async def test_one_of_two_at_once(cmi: Site) -> None:
    one = await firm(cmi)
    first, second = await one.completed("10.00", "20.00")
    answers = await asyncio.gather(
        *(one.settle([sp_id]) for sp_id in (first, second, first, second))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    number = (await only(one))["settlement_id"]
    for answer in answers:
        if answer.status_code == 409:
            problem = answer.json()
            assert (problem["code"], problem["settlement_id"]) == ("already_settled", number)
            assert "allowed" in problem
    seen = await one.reaches(number, "issued")
    (billed,) = (line["sp_id"] for line in seen["orders"])
    left = {first, second} - {billed}
    assert (await one.http.get(f"{API}/orders/{left.pop()}")).json()["status"] == "completed"


async def test_the_same_key_is_the_same_settlement(cmi: Site) -> None:
    one = await firm(cmi)
    sp_ids = await one.completed("10.00", "20.00")
    first = await one.settle(sp_ids, Idempotency_Key="month-1")
    again = await one.settle(sp_ids, Idempotency_Key="month-1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    other = await one.settle(sp_ids[:1], Idempotency_Key="month-1")
    assert fields(other.json()) == {"Idempotency-Key"}
    assert (await one.settle(sp_ids, Idempotency_Key="month-2")).status_code == 409


async def test_who_heard_no_answer_asks_again(cmi: Site) -> None:
    """The process may die between the opening and the keeping of its answer."""
    one = await firm(cmi)
    sp_ids = await one.completed("10.00")
    caller = Principal(role="partner", login_id="x", name="x", partner_id=one.partner_id)
    desk: SettlementUseCases = cmi.app.state.settlement_use_cases
    opened = await desk.open(caller, sp_ids, "request-1")
    again = await desk.open(caller, sp_ids, "request-1")
    assert again.settlement.settlement_id == opened.settlement.settlement_id
    with pytest.raises(AlreadySettled):
        await desk.open(caller, sp_ids, "request-2")


async def test_none_of_them_can_be_billed(cmi: Site) -> None:
    one = await firm(cmi)
    foreign = await begun(cmi, *TRANSMITTED)
    unfinished = await begun(cmi, *TRANSMITTED, partner_id=one.partner_id)
    answer = await one.settle(["SP-NOWHERE", foreign, unfinished])
    assert fields(answer.json()) == {"sp_ids.0", "sp_ids.1", "sp_ids.2"}
    missing, other, third = (each["message"] for each in answer.json()["errors"])
    assert missing == other != third, "nobody can tell a foreign order from a missing one"
    assert (await one.http.get(f"{API}/settlements")).json()["items"] == []


async def test_more_left_out_than_can_be_named(cmi: Site) -> None:
    """What a settlement names travels with it: a list of inventions must not be more than its workflow can carry."""
    one = await firm(cmi)
    (sp_id,) = await one.completed("10.00")
    inventions = [f"SP-{number:040}" for number in range(MOST_LEFT_OUT + 1)]
    answer = await one.settle([sp_id, *inventions])
    assert answer.status_code == 422, answer.text
    assert "sp_ids.1" in fields(answer.json())
    assert (await one.http.get(f"{API}/settlements")).json()["items"] == []
    seen = await one.issued([sp_id, *inventions[1:]])
    assert len(seen["left_out"]) == MOST_LEFT_OUT


# --- opened for the partner --------------------------------------------------------------------------------------


async def test_the_command_of_operations(cmi: Site) -> None:
    one = await firm(cmi)
    known = ("settle", "--partner", one.partner_id, "--month")
    code, out, complaint = await starter(cmi, *known, month())
    assert (code, out) == (2, "")
    assert "nothing to bill" in complaint
    assert complaint.count("\n") == 1
    sp_ids = await one.completed("10.00", "20.00", "30.00")
    code, out, _ = await starter(cmi, *known, month())
    number = (await only(one))["settlement_id"]
    assert (code, out.split()[:3]) == (0, [number, "open", "3"])
    code, out, _ = await starter(cmi, *known, month())
    assert code == 0
    assert "was there already" in out
    assert number in out
    for arguments, what in (
        ((*known, "2026-13"), "--month 2026-13"),
        ((*known, "9000-01"), "has not begun"),
        (("settle", "--partner", "nobody", "--month", month()), "nobody"),
    ):
        code, out, complaint = await starter(cmi, *arguments)
        assert (code, out, complaint.count("\n")) == (2, "", 1)
        assert what in complaint

    # The partner changes its selection, and closes it.
    seen = await only(one)
    assert {line["sp_id"] for line in seen["orders"]} == set(sp_ids)
    assert seen["selectable_until"] is not None
    assert seen["allowed"] == ["select", "close"]
    early = await one.http.get(f"{API}/settlements/{number}/statement.pdf")
    assert early.status_code == 404
    chosen = {"sp_ids": [sp_ids[2], sp_ids[0], "SP-NOWHERE"]}
    changed = (await one.post(number, "selection", chosen)).json()
    assert {line["sp_id"] for line in changed["orders"]} == {sp_ids[0], sp_ids[2]}
    assert [each["sp_id"] for each in changed["left_out"]] == ["SP-NOWHERE"]
    assert changed["net"] == "40.00"
    nothing = await one.post(number, "selection", {"sp_ids": ["SP-NOWHERE"]})
    assert fields(nothing.json()) == {"sp_ids.0"}
    closed = await one.post(number, "close")
    assert closed.status_code == 200, closed.text
    assert closed.json()["status"] in ("closing", "issued")
    late = await one.post(number, "selection", {"sp_ids": sp_ids})
    assert late.status_code == 409
    assert late.json()["detail"]
    await one.reaches(number, "issued")
    left = (await one.http.get(f"{API}/orders/{sp_ids[1]}")).json()
    assert left["status"] == "completed", "what was not picked stays for the next month"


# --- void and correct --------------------------------------------------------------------------------------------


async def test_void_then_settle_again_with_a_correction(cmi: Site) -> None:
    one = await firm(cmi)
    sp_ids = await one.completed("100.00", "50.00")
    number = (await one.issued(sp_ids))["settlement_id"]
    path = f"{API}/settlements/{number}/void"
    assert (await one.http.post(path, json={"reason": "x"})).status_code == 403
    assert fields((await cmi.operations.post(path, json={})).json()) == {"reason"}
    voided = await cmi.operations.post(path, json={"reason": "wrong fee"})
    assert voided.status_code == 200, voided.text
    assert voided.json()["status"] == "void"
    assert "wrong fee" in voided.json()["timeline"][-1]["text"]
    for sp_id in sp_ids:
        await cmi.reaches(sp_id, "completed")
        order = await cmi.shown(sp_id)
        assert order["settlement_id"] is None
    assert (await one.http.get(f"{API}/settlements/{number}/statement.pdf")).status_code == 200
    assert (await one.upload(number, paper(["x"]))).status_code == 409

    corrections = f"{API}/partners/{one.partner_id}/corrections"
    body = {"sp_id": sp_ids[0], "amount": "-20.00", "reason": "agreed by telephone"}
    made = await cmi.operations.post(corrections, json=body, headers={"Idempotency-Key": "c-1"})
    assert made.status_code == 201, made.text
    assert made.json()["settlement_id"] is None
    again = await cmi.operations.post(corrections, json=body, headers={"Idempotency-Key": "c-1"})
    assert again.json() == made.json()

    # A month later.
    around = cmi.around
    caller = Principal(role="partner", login_id="x", name="x", partner_id=one.partner_id)
    with mock.patch.dict("os.environ", {"TEMPORAL_ADDRESS": around.address}):
        client = await connect(around.settings)
    later = SettlementUseCases(
        client,
        around.database,
        around.policies,
        around.settings.vat_percentages,
        DESK,
        clock=lambda: datetime.now(UTC) + timedelta(days=32),
    )
    opened = await later.open(caller, sp_ids, "next-month")
    number = opened.settlement.settlement_id
    seen = await one.reaches(number, "issued")
    assert seen["month"] > month()
    expected = sums(["100.00", "50.00", "-20.00"])
    assert {name: seen[name] for name in expected} == expected
    (line,) = seen["corrections"]
    assert (line["sp_id"], line["amount"], line["reason"]) == (sp_ids[0], "-20.00", body["reason"])
    (listed,) = (await cmi.accounting.get(corrections)).json()["items"]
    assert listed["settlement_id"] == number


async def test_corrections_that_cannot_be(cmi: Site, huber: Firm) -> None:
    path = f"{API}/partners/{huber.partner_id}/corrections"
    sp_id = (await only(huber))["orders"][0]["sp_id"]
    right = {"sp_id": sp_id, "amount": "5.00", "reason": "x"}
    foreign = await begun(cmi, *TRANSMITTED)
    unfinished = await begun(cmi, *TRANSMITTED, partner_id=huber.partner_id)
    for changes, field in (
        ({"amount": "0.00"}, "amount"),
        ({"amount": 5}, "amount"),
        ({"amount": "5.005"}, "amount"),
        ({"reason": " "}, "reason"),
        ({"sp_id": foreign}, "sp_id"),
        ({"sp_id": unfinished}, "sp_id"),
    ):
        answer = await cmi.operations.post(path, json={**right, **changes})
        if changes == {"amount": 5}:
            continue
        assert fields(answer.json()) == {field}, answer.text
    nobody = f"{API}/partners/nobody/corrections"
    assert (await cmi.operations.post(nobody, json=right)).status_code == 404
    assert (await cmi.operations.get(nobody)).status_code == 404
    assert (await huber.http.get(path)).status_code == 403


# --- invoices ----------------------------------------------------------------------------------------------------


async def test_invoices_that_are_not_right(cmi: Site) -> None:
    one = await firm(cmi)
    sp_ids = await one.completed("1234.50", "129.00")
    seen = await one.issued(sp_ids)
    number, total = seen["settlement_id"], swiss(seen["total"])

    async def verdict(content: bytes) -> dict[str, Any]:
        answer = await one.upload(number, content)
        assert answer.status_code == 200, answer.text
        said = answer.json()
        assert all(isinstance(problem, str) for problem in said["problems"])
        return said

    incomplete = await verdict(paper(invoice(number, sp_ids[:1], total)))
    assert (incomplete["accepted"], incomplete["missing"]) == (False, [sp_ids[1]])
    foreign = await verdict(paper(invoice(number, [*sp_ids, "SP-9999999"], total)))
    assert (foreign["accepted"], foreign["foreign"]) == (False, ["SP-9999999"])
    wrong = await verdict(paper(invoice(number, sp_ids, "1.00")))
    assert not wrong["accepted"]
    assert any(total in problem for problem in wrong["problems"])
    statement = await one.http.get(f"{API}/settlements/{number}/statement.pdf")
    mistaken = await verdict(statement.content)
    assert (mistaken["accepted"], len(mistaken["problems"])) == (False, 1)
    for hostile in (b"", b"%PDF-1.7\n" + b"\0" * 5000):
        said = await verdict(hostile)
        assert not said["accepted"]
        assert said["problems"]
    still = (await one.http.get(f"{API}/settlements/{number}")).json()
    assert (still["status"], still["allowed"]) == ("issued", ["invoice"])
    assert (await one.http.get(f"{API}/settlements/{number}/invoice.pdf")).status_code == 404
    returned = [entry["type"] for entry in still["timeline"]].count("invoice_returned")
    assert returned == 6
    right = await verdict(paper(invoice(number, sp_ids, total)))
    assert right == {"accepted": True, "missing": [], "foreign": [], "problems": []}


async def test_uploads_that_are_none(cmi: Site, huber: Firm) -> None:
    number = (await only(huber))["settlement_id"]
    path = f"{API}/settlements/{number}/invoice"
    pdf = paper(["x"])
    assert fields((await huber.upload(number, pdf, field="invoice")).json()) == {"file"}
    assert fields((await huber.http.post(path, data={"file": "x"})).json()) == {"file"}
    assert fields((await huber.http.post(path, json={"file": "x"})).json()) == {"file"}
    broken = await huber.http.post(
        path, content=b"--x\r\nwhatever", headers={"Content-Type": "multipart/form-data"}
    )
    assert fields(broken.json()) == {"body"}
    assert (await huber.upload(number, b"%PDF-" + b"\0" * (20 << 20))).status_code == 413
    assert (await huber.upload(number, b"%PDF-" + b"\0" * (21 << 20))).status_code == 413
    # The same form is another one each time it is sent, but for what it carries.
    key = {"Idempotency-Key": "upload-1"}
    answers = [
        await huber.http.post(path, files={"file": ("r.pdf", pdf)}, headers=key) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    other = await huber.http.post(path, files={"file": ("r.pdf", pdf + b" ")}, headers=key)
    assert fields(other.json()) == {"Idempotency-Key"}


async def test_no_more_files_are_kept_than_the_limit(
    cmi: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await firm(cmi)
    number = (await one.begun_issued("10.00"))["settlement_id"]
    monkeypatch.setattr(use_cases.settlement_papers, "UPLOADS", Limit(files=2, size=20_000))
    wrong = [paper([f"wrong {n}"]) for n in range(3)]
    assert (await one.upload(number, paper([]) + b" " * 20_000)).json()["code"] == "too_many_files"
    for content in (wrong[0], wrong[1], wrong[0]):
        answer = await one.upload(number, content)
        assert (answer.status_code, answer.json()["accepted"]) == (200, False)
    path = f"{API}/settlements/{number}/invoice"
    for language, said in (("de", "Dateien"), ("fr", "fichiers"), ("it", "file"), ("en", "files")):
        answer = await one.http.post(
            path,
            files={"file": ("r.pdf", wrong[2], "application/pdf")},
            headers={"Accept-Language": language},
        )
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (409, "too_many_files")
        assert problem["allowed"] == ["invoice"]
        assert said in problem["detail"]
    assert (
        await cmi.app.state.settlement_use_cases.papers._papers.get(_id(number, wrong[2])) is None
    )
    # Accounting takes it by hand.
    noted = await cmi.accounting.post(f"{API}/settlements/{number}/invoice-received", json={})
    assert noted.status_code == 200


def _id(number: str, content: bytes) -> str:
    return invoice_id(number, hashlib.sha256(content).hexdigest())


async def test_many_clicks_on_the_draft_and_one_that_cannot_be_made(
    cmi: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = await firm(cmi)
    number = (await one.begun_issued("10.00"))["settlement_id"]
    path = f"{API}/settlements/{number}/draft-invoice.pdf"
    made: list[str] = []

    async def fails(_: object) -> Document:
        made.append(number)
        raise ConfinedError("memory", "too large")

    monkeypatch.setattr(activities.papers, "invoice_confined", fails)
    answers = await asyncio.gather(
        *(one.http.get(path, headers={"Accept-Language": "en"}) for _ in range(4))
    )
    for answer in answers:
        assert answer.status_code == 503, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.json()["title"] == "Not made"
        assert answer.json()["detail"].startswith("The draft could not be made.")
        assert int(answer.headers["Retry-After"]) == 60
    assert len(made) == activities.papers.QUICK_ATTEMPTS, "one making, tried so often"
    monkeypatch.undo()
    # Somebody who changed what the draft shows of the partner does not get the failure of before.
    changed = await cmi.operations.patch(
        f"{API}/partners/{one.partner_id}", json={"street": "Hohlstrasse 101"}
    )
    assert changed.status_code == 200
    again = await asyncio.gather(*(one.http.get(path) for _ in range(4)))
    assert {answer.status_code for answer in again} == {200}
    assert len({answer.content for answer in again}) == 1


async def test_accounting_notes_what_came_by_post(cmi: Site) -> None:
    one = await firm(cmi)
    number = (await one.begun_issued("10.00"))["settlement_id"]
    path = f"{API}/settlements/{number}"
    seen = (await cmi.accounting.get(path)).json()
    assert seen["allowed"] == ["note_invoice"]
    for call in ("close", "void"):
        assert (await cmi.accounting.post(f"{path}/{call}", json={})).status_code == 403
    assert (await one.post(number, "invoice-received")).status_code == 403
    noted = await cmi.accounting.post(f"{path}/invoice-received", json={"note": "by post"})
    assert noted.status_code == 200, noted.text
    assert noted.json()["status"] == "invoiced"
    assert noted.json()["allowed"] == ["approve", "return"]
    last = noted.json()["timeline"][-1]
    assert last["by"] == "accounting:accounting's software"
    assert "by post" in last["text"]
    assert (await cmi.accounting.get(f"{path}/invoice.pdf")).status_code == 404
    late = await cmi.operations.post(f"{path}/void", json={"reason": "too late"})
    assert (late.status_code, late.json()["allowed"]) == (409, [])


# --- who sees what -----------------------------------------------------------------------------------------------


async def test_another_s_settlement_is_not_there(cmi: Site, huber: Firm) -> None:
    number = (await only(huber))["settlement_id"]
    missing = "V202610-22222222"
    for method, call, body in (
        ("GET", "", None),
        ("GET", "/statement.pdf", None),
        ("GET", "/statement.csv", None),
        ("GET", "/draft-invoice.pdf", None),
        ("GET", "/invoice.pdf", None),
        ("GET", "/invoices", None),
        ("GET", f"/invoices/{'0' * 64}.pdf", None),
        ("POST", "/selection", {"sp_ids": []}),
        ("POST", "/close", {}),
    ):
        answers = [
            await cmi.stranger.request(method, f"{API}/settlements/{which}{call}", json=body)
            for which in (number, missing)
        ]
        assert [answer.status_code for answer in answers] == [404, 404], call
        assert answers[0].json() == answers[1].json(), "nobody can tell one from the other"
    file = {"file": ("x.pdf", paper(["x"]))}
    foreign = await cmi.stranger.post(f"{API}/settlements/{number}/invoice", files=file)
    assert foreign.status_code == 404
    for query in ({}, {"q": number}, {"partner_id": huber.partner_id}, {"month": month()}):
        page = (await cmi.stranger.get(f"{API}/settlements", params=query)).json()
        assert number not in {item["settlement_id"] for item in page["items"]}
        assert {item["partner_id"] for item in page["items"]} <= {"luzern-montage"}
    assert (await only(huber))["status"] == "issued"


async def test_lists(cmi: Site, huber: Firm) -> None:
    number = (await only(huber))["settlement_id"]
    path = f"{API}/settlements"
    (item,) = (await cmi.accounting.get(path, params={"q": number})).json()["items"]
    full = (await cmi.accounting.get(f"{path}/{number}")).json()
    for name in ("partner_id", "month", "status", "status_label", "net", "total", "invoice_due"):
        assert item[name] == full[name], name
    assert item == full
    for query, there in (
        ({"partner_id": huber.partner_id}, True),
        ({"partner_id": huber.partner_id, "status": "issued", "month": month()}, True),
        ({"partner_id": huber.partner_id, "status": "open"}, False),
        ({"partner_id": huber.partner_id, "month": "2020-01"}, False),
        ({"q": "no such firm"}, False),
    ):
        items = (await cmi.operations.get(path, params=query)).json()["items"]
        assert (number in {each["settlement_id"] for each in items}) is there, query
    seen: list[str] = []
    cursor = None
    while True:
        page = await cmi.operations.get(path, params={"limit": 5, "cursor": cursor or ""})
        seen += [each["settlement_id"] for each in page.json()["items"]]
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert number in seen
    assert len(set(seen)) == len(seen)
    for wrong, field in (
        ({"cursor": "x"}, "cursor"),
        ({"month": "2026-13"}, "month"),
        ({"status": "x"}, "status"),
        ({"limit": "0"}, "limit"),
        ({"unknown": "x"}, "unknown"),
    ):
        answer = await cmi.operations.get(path, params=wrong)
        assert fields(answer.json()) == {field}, wrong


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "sp_ids"),
        ({"sp_ids": []}, "sp_ids"),
        ({"sp_ids": "SP-1"}, "sp_ids"),
        ({"sp_ids": [""]}, "sp_ids.0"),
        ({"sp_ids": ["SP-1", 7]}, "sp_ids.1"),
        ({"sp_ids": ["SP-1"] * 20_001}, "sp_ids"),
        ({"sp_ids": ["SP-1"], "more": 1}, "more"),
    ],
)
async def test_wrong_bodies(cmi: Site, body: dict[str, Any], field: str) -> None:
    answer = await cmi.partner.post(f"{API}/settlements", json=body)
    assert answer.status_code == 422, answer.text
    assert fields(answer.json()) == {field}


async def test_answers_in_the_caller_s_language(cmi: Site, huber: Firm) -> None:
    number = (await only(huber))["settlement_id"]
    labels = set()
    for language in ("de", "fr", "it", "en"):
        answer = await huber.http.get(
            f"{API}/settlements/{number}", headers={"Accept-Language": language}
        )
        assert answer.headers["Content-Language"] == language
        labels.add((answer.json()["status_label"], answer.json()["timeline"][0]["text"]))
    assert len(labels) == 4
