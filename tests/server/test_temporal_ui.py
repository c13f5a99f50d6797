"""What operations find in Temporal: lists and counts by search attributes, an order in words, nothing personal."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from google.protobuf.json_format import MessageToJson
from playwright.async_api import expect
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from contracts import names
from development.embedded import free_port, temporal_command
from domain.orders.commands import Accept, ConfirmRequirements, LogContact
from domain.orders.order import Status
from tests.portal.portal import chromium
from tests.server.surroundings import details, eventually, surroundings
from tests.support.builders import placement
from tests.support.needs import require
from tests.workflows.life import Life
from web.portal.temporal_ui import LATE


async def found(client: Client, query: str, wanted: set[str]) -> bool:
    """Whether visibility, which is a moment late, lists just these orders."""
    listed = {w.id async for w in client.list_workflows(query)}
    return listed == wanted and (await client.count_workflows(query)).count == len(wanted)


async def test_lists_details_and_a_refusal(tmp_path: Path) -> None:
    async with surroundings(tmp_path, accept="4 seconds", shared=True) as around, around.worker():
        late = await around.place("SP-1")
        waiting = await around.place("SP-2", prepaid=True)
        other = await around.place("SP-3", partner_id="geneve-pose")
        for life in (late, other):
            await around.reaches(life, Status.NEW)
        await other.do(Accept())

        # The start has set what the first search finds: no upsert before something changes.
        history = await waiting.handle.fetch_history()
        assert not any(
            event.HasField("upsert_workflow_search_attributes_event_attributes")
            for event in history.events
        )
        # A refused update leaves nothing behind.
        before = await _updates(other)
        refusal = await other.refused(Accept())
        assert refusal.details[0]["allowed"] == [
            "log_contact",
            "confirm_requirements",
            "reject_requirements",
            "report_problem",
        ]
        assert await _updates(other) == before

        text = await details(other)
        order = await other.order()
        check = next(d for d in order.open_deadlines if d.kind == "check_requirements")
        for part in (
            "Anforderungen prüfen",
            f"{order.calendar.local(check.due):%H:%M}",
            "Zuständig: Servicepartner",
            "`log_contact confirm_requirements reject_requirements report_problem cancel reassign`",
            "[SP-3](https://cmi.example/orders/SP-3)",
        ):
            assert part in text, text

        client = around.client
        for query, wanted in (
            ('SpStatus = "new"', {"SP-1"}),
            ('SpStatus = "awaiting_payment"', {"SP-2"}),
            ('PartnerId = "geneve-pose" AND Canton = "GE"', {"SP-3"}),
            ("Overdue = true", {"SP-1"}),
            ('Deadline < "2100-01-01T00:00:00Z"', {"SP-1", "SP-3"}),
        ):
            await eventually(lambda q=query, w=wanted: found(client, q, w))
        assert "⚠" in await details(late)


async def test_the_list_with_columns_and_a_saved_view(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What docs/operations.md, "Columns and views", says, clicked in the UI itself."""
    require("chromium")
    ui_port = free_port()

    def with_ui(**given: Any) -> list[str]:
        return temporal_command(**{**given, "ui_port": ui_port})

    monkeypatch.setattr("tests.server.surroundings.temporal_command", with_ui)
    async with (
        surroundings(tmp_path, accept="1 second") as around,
        around.worker(),
        chromium() as browser,
    ):
        life = await around.place("SP-1")
        await around.reaches(life, Status.NEW)
        await eventually(lambda: found(around.client, "Overdue = true", {"SP-1"}))
        page = await browser.new_page(viewport={"width": 1500, "height": 1000})
        workflows = f"http://127.0.0.1:{ui_port}/namespaces/default/workflows"
        await page.goto(f"{workflows}?query={quote(LATE)}")
        row = page.get_by_test_id("workflows-summary-configurable-table-row")
        await expect(row).to_contain_text("SP-1", timeout=60_000)
        await page.get_by_test_id("workflows-summary-table-configuration-button").click()
        for name in ("SpStatus", "PartnerId", "Deadline", "Overdue"):
            line = page.locator("li, tr, div").filter(has_text=re.compile(f"^\\s*{name}\\s*$"))
            await line.last.locator("xpath=ancestor-or-self::*[.//button][1]//button").last.click()
        await page.reload()
        for text in ("new", "elektro-huber", "true"):
            await expect(row).to_contain_text(text, timeout=60_000)
        await page.get_by_test_id("create-view-button").click()
        dialog = page.locator("dialog[open]")
        name = dialog.get_by_test_id("workflow-save-view-modal-input")
        await name.click()
        await name.press_sequentially("Late orders", delay=50)
        await dialog.get_by_role("button", name="Save").click()
        await expect(page.get_by_test_id("saved-views-button")).to_contain_text("Late orders")
        await page.goto(workflows)
        await page.get_by_test_id("saved-views-button").click()
        await page.get_by_text("Late orders").first.click()
        await expect(page).to_have_url(re.compile("Overdue"))
        # The details that the link of an order's page leads to.
        run = (await life.handle.describe()).run_id
        await page.goto(f"{workflows}/SP-1/{run}/user-metadata")
        shown = page.locator("iframe").last.content_frame  # the UI renders Markdown in one
        await expect(shown.get_by_text("Zuständig: ")).to_be_visible(timeout=60_000)


async def test_nothing_personal_is_readable(tmp_path: Path) -> None:
    """Codecs cover arguments; what operations, and everybody with access to Temporal, read at a glance is these."""
    async with surroundings(tmp_path, shared=True) as around, around.worker():
        life = await around.place("SP-1", note="Schlüssel bei Frau Zbinden")
        await around.reaches(life, Status.NEW)
        await life.do(Accept())
        await life.do(LogContact(outcome="reached", note="Herr Zbinden war da"))
        await life.do(
            ConfirmRequirements(
                checklist={"connections": "yes", "space": "yes", "passages": "not_applicable"}
            )
        )
        await around.reaches(life, Status.REQUIREMENTS_MET)
        description = await life.handle.describe()
        assert await description.static_summary() == "install-washing-machine · elektro-huber · ZH"
        readable = [
            description.id,
            MessageToJson(description.raw_description.workflow_execution_info.search_attributes),
            str(description.typed_search_attributes),
            await description.static_summary() or "",
            await description.static_details() or "",
            await details(life),
            *(
                payload.data.decode()
                for event in (await life.handle.fetch_history()).events
                for payload in (event.user_metadata.summary, event.user_metadata.details)
            ),
        ]
        assert any("new_order to partner" in text for text in readable)
        assert any("fällig" in text for text in readable), "in the language of operations"
        customer = placement().customer
        personal = (
            *customer.name.split(),
            customer.street,
            customer.phone,
            customer.email,
            customer.postal_code,
            "Zbinden",
        )
        for word in personal:
            assert [text for text in readable if word in text] == []
    assert names.order_id("SP-1") == "SP-1"


async def _updates(life: Life) -> int:
    """How many events of updates an order's history has."""
    history = await life.handle.fetch_history()
    return sum("UPDATE" in EventType.Name(event.event_type) for event in history.events)
