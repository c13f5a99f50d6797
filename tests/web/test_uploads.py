"""By HTTP: a partner's quota of invoices, the list of those that came, and what is left of a refused one."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from contracts import names
from contracts.messages import RetentionRun
from domain.settlements.uploads import Quota
from tests.invoices.papers import invoice, paper
from tests.support.traces_of import columns_with
from tests.web.firms import Firm, firm
from tests.web.site import API, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

MARK = b"%refused-bytes-that-nobody-needs"


async def issued(cmi: Site) -> tuple[Firm, str, str, list[str]]:
    """A partner with a settlement that awaits its invoice: its number, total and SP-IDs."""
    one = await firm(cmi)
    settlement = await one.begun_issued("10.00")
    sp_ids = [line["sp_id"] for line in settlement["orders"]]
    return one, settlement["settlement_id"], settlement["total"], sp_ids


async def retain(cmi: Site, at: datetime) -> None:
    """The nightly retention, by the worker, as if it were then."""
    await cmi.app.state.temporal.execute_workflow(
        names.RETENTION, RetentionRun(at=at), id=f"night-{at:%s%f}", task_queue=names.ORDERS_QUEUE
    )


def limited(cmi: Site, monkeypatch: pytest.MonkeyPatch, **limits: int) -> None:
    """The application with these limits."""
    papers = cmi.app.state.settlement_use_cases.papers
    monkeypatch.setattr(papers, "_quota", Quota()._replace(**limits))


async def test_a_quota_of_files(cmi: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    one, number, total, sp_ids = await issued(cmi)
    limited(cmi, monkeypatch, files=2)
    for content in (b"1", b"2", b"1"):
        assert (await one.upload(number, paper([]) + content)).status_code == 200
    right = paper(invoice(number, sp_ids, total))
    for language, said in (("de", "höchstens 2"), ("fr", "2 "), ("it", "2 "), ("en", "2 ")):
        answer = await one.http.post(
            f"{API}/settlements/{number}/invoice",
            files={"file": ("r.pdf", right)},
            headers={"Accept-Language": language},
        )
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["limit"]) == (
            429,
            "too_many_uploads",
            2,
        )
        assert said in problem["detail"]
        frees_at = datetime.fromisoformat(problem["frees_at"])
        assert timedelta(hours=23) < frees_at - datetime.now(UTC) <= timedelta(hours=24)
        assert 23 * 3600 < int(answer.headers["Retry-After"]) <= 24 * 3600
    # In the partner's place it counts as the partner's; another partner has its own.
    in_its_place = await cmi.operations.post(
        f"{API}/settlements/{number}/invoice", files={"file": ("r.pdf", right)}
    )
    assert in_its_place.status_code == 429
    limited(cmi, monkeypatch, files=3)
    assert (await one.upload(number, right)).json()["accepted"]


async def test_a_quota_of_bytes(cmi: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    one, number, _, _ = await issued(cmi)
    limited(cmi, monkeypatch, megabytes=20)
    large = paper([]) + b" " * (12 << 20)
    assert (await one.upload(number, large + b"1")).status_code == 200
    answer = await one.upload(number, large + b"2")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_megabytes")
    assert (await one.upload(number, paper(["small"]))).status_code == 200


async def test_of_many_checks_at_once_only_so_many_are_begun(
    cmi: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, number, _, _ = await issued(cmi)
    limited(cmi, monkeypatch, checks=2)
    answers = await asyncio.gather(
        *(one.upload(number, paper([f"wrong {n}"] * 4000)) for n in range(6))
    )
    refused = [answer for answer in answers if answer.status_code == 429]
    assert {answer.status_code for answer in answers} == {200, 429}
    assert {answer.json()["code"] for answer in refused} == {"too_many_checks"}
    assert all(int(answer.headers["Retry-After"]) <= 60 for answer in refused)
    assert (await one.upload(number, paper(["later"]))).status_code == 200, "they are finished"


async def test_what_came_is_listed_and_refused_bytes_go(cmi: Site) -> None:
    one, number, total, sp_ids = await issued(cmi)
    wrong = paper(invoice(number, sp_ids, "1.00")) + MARK
    right = paper(invoice(number, sp_ids, total))
    hashes = [hashlib.sha256(each).hexdigest() for each in (wrong, right)]
    assert not (await one.upload(number, wrong, "falsch.pdf")).json()["accepted"]
    assert (await one.upload(number, right, "richtig.pdf")).json()["accepted"]

    path = f"{API}/settlements/{number}/invoices"
    before = (await one.http.get(path)).json()["items"]
    assert [(item["sha256"], item["outcome"]) for item in before] == [
        (hashes[0], "refused"),
        (hashes[1], "accepted"),
    ]
    assert any("Total" in text for text in before[0]["problems"])
    assert before[0]["deleted_at"] is None
    file = await cmi.accounting.get(f"{path}/{hashes[0]}.pdf")
    assert (file.status_code, file.content) == (200, wrong)
    assert (await one.http.get(f"{path}/{'0' * 64}.pdf")).status_code == 404
    assert (await one.http.get(f"{path}/x.pdf")).status_code == 422
    assert (await cmi.stranger.get(f"{path}/{hashes[0]}.pdf")).status_code == 404
    assert (await cmi.shop.get(path)).status_code == 403

    # It stands behind the end of the PDF, where nothing packs it; other tests' papers are many to unpack.
    assert await columns_with(cmi.around.database, MARK.decode(), unpacked=False) != []
    await retain(cmi, datetime.now(UTC) + timedelta(days=29))
    assert (await one.http.get(f"{path}/{hashes[0]}.pdf")).content == wrong
    await retain(cmi, datetime.now(UTC) + timedelta(days=31))
    gone = await one.http.get(f"{path}/{hashes[0]}.pdf")
    assert gone.status_code == 410
    assert "gelöscht" in gone.json()["detail"]
    assert (await one.http.get(f"{path}/{hashes[1]}.pdf")).content == right
    assert (await one.http.get(f"{API}/settlements/{number}/invoice.pdf")).content == right

    after = (await one.http.get(path)).json()["items"]
    assert after[0]["deleted_at"] is not None
    assert after[0] == {**before[0], "size": 0, "deleted_at": after[0]["deleted_at"]}
    assert after[1] == before[1]
    assert await columns_with(cmi.around.database, MARK.decode(), unpacked=False) == []
    files = [each for each in cmi.around.folder.glob("*.db*") if each.is_file()]
    assert [each.name for each in files if MARK in each.read_bytes()] == []
