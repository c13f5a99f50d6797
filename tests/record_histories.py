"""Records the histories that every change of a workflow is replayed against: `python -m tests.record_histories`.

They are those of lives that tests live, one for each ending, and of an order and a settlement that went over several
runs. Beside them, `timelines.json` has what happened in each and when. With an argument only those are recorded whose
names begin so (`settlement`). docs/testing.md says when to record anew.

Histories of orders and settlements are kept by the shell that they ran with (`contracts.names.SHELL`): those of today's
are in a folder of its number, those of the first one beside it. Only today's can be recorded.
"""

import asyncio
import json
import logging
import re
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from contracts import names
from contracts.activities import SEND_MAIL
from domain.orders.commands import Accept, Cancel, LogContact
from domain.orders.order import Status
from domain.policy_file import load_policy
from tests.support.temporal_servers import dev_server, skipping_server
from tests.workflows import (
    test_daily_digest,
    test_later_rules,
    test_lives,
    test_monthly_billing,
    test_reviews,
    test_settlement_payments,
    test_settlements,
)
from tests.workflows.life import SHOP, Life, Lives
from tests.workflows.outside import Outside
from tests.workflows.replaying import timeline
from tests.workflows.settlement_lives import SettlementLife, SettlementLives, settlement_lives
from workflows.service_order import ServiceOrder

HISTORIES = Path(__file__).parent / "histories"
Story = Callable[[Lives], Awaitable[None]]

ENDINGS: dict[str, Story] = {
    "executed-and-billed": test_lives.test_from_placing_to_billing_over_a_weekend,
    "requirements-not-met": test_lives.test_requirements_that_are_not_met_end_the_order,
    "not-executed-and-reshipped": test_lives.test_not_executed_and_reshipped,
    "review-accepted": test_reviews.test_accepted_as_executed,
    "review-cancelled": test_reviews.test_cancelled_after_review,
    "review-new-appointment": test_reviews.test_a_new_appointment_after_review,
    "cancelled-early": test_lives.test_cancelled_before_the_partner_knew_of_it,
    "cancelled-late": test_lives.test_cancelled_by_the_shop_when_the_goods_are_on_their_way,
    "cancelled-in-temporal": test_lives.test_an_operator_who_cancels_the_workflow_cancels_the_order,
    "prepaid": test_lives.test_a_prepaid_order_waits_for_months_at_no_cost,
    "reassigned": test_lives.test_reassigned_to_a_partner_in_another_canton,
    "missed-deadlines": test_lives.test_a_missed_deadline_reminds_escalates_and_leaves_the_order_going,
    "refused-afterwards": test_lives.test_a_command_left_as_a_signal_that_is_not_allowed_is_mailed_to_its_sender,
    "mail-down": test_lives.test_the_mail_server_down_for_a_day,
    "database-down": test_lives.test_the_database_down_for_a_day_loses_nothing,
    "calendar-renewed": test_lives.test_the_calendar_is_renewed_for_an_order_that_outlives_it,
}
LATER: dict[str, Story] = {
    "rules-2-held-and-taken-back": test_later_rules.test_a_life_with_a_problem_a_hold_and_a_completion_taken_back,
    "rules-2-declined-and-cancelled": test_later_rules.test_declined_reassigned_and_cancelled_while_the_goods_come,
    "rules-2-never-accepted": test_later_rules.test_nobody_accepts_and_the_partner_loses_the_order,
    "rules-2-late-notice": test_later_rules.test_the_notice_is_late_and_the_deadlines_count_from_it,
    "rules-2-outage": test_later_rules.test_an_outage_puts_deadlines_off_before_they_are_missed,
    "rules-2-people": test_later_rules.test_the_people_of_a_partner_are_named_beside_it,
    "rules-2-adopted": test_later_rules.test_an_order_of_the_first_rules_adopts_version_2,
}
"""Orders under version 2 of the rules, and one that adopts it."""
SETTLEMENTS: dict[str, Callable[[SettlementLives], Awaitable[None]]] = {
    "settlement-by-the-month": test_settlements.test_opened_by_the_months_end_closed_by_time_and_invoiced,
    "settlement-by-its-partner": test_settlements.test_opened_by_the_partner_is_closed_at_once,
    "settlement-nothing-billed": test_settlements.test_nothing_to_bill,
    "settlement-void-open": test_settlements.test_void_while_it_is_open,
    "settlement-void-released": test_settlements.test_void_sets_the_orders_free_however_often_that_fails,
    "settlement-void-while-checking": test_settlements.test_void_wins_over_an_invoice_that_is_being_checked,
    "settlement-two-invoices": test_settlements.test_of_two_invoices_at_once_the_first_right_one_is_taken,
    "settlement-reminded": test_settlements.test_reminders_end_and_the_last_one_goes_to_operations_too,
    "settlement-database-down": test_settlements.test_the_database_down_for_a_day_delays_the_statement_alone,
    "settlement-mail-down": test_settlements.test_the_mail_server_down_until_a_reminder_has_lost_its_sense,
    "settlement-paid": test_settlement_payments.test_it_waits_for_months_until_it_is_paid,
    "settlement-returned": test_settlement_payments.test_a_returned_invoice_is_reminded_of_and_another_is_taken,
    "settlement-cancelled-in-temporal": test_settlements.test_an_operator_who_cancels_the_workflow_takes_it_back,
}
MONTHS: dict[str, Callable[[SettlementLives], Awaitable[None]]] = {
    "month-by-hand": test_monthly_billing.test_the_database_away_delays_it,
    "month-of-the-clock": test_monthly_billing.test_by_the_clock_in_summer_time,
    "month-with-failures": test_monthly_billing.test_one_that_fails_holds_up_nobody_and_is_tried_again,
}
IN_SECONDS = load_policy(
    '[transmission]\nhold = "1 second"\n[escalation]\noffice_hours_only = false'
)


def _without_the_machine(history: str) -> str:
    """A history that does not tell on which machine, and where on it, it was recorded."""
    host = re.sub(r'"[0-9]+@[^"]+"', '"worker"', history)
    return host.replace(f"{Path(__file__).resolve().parents[1]}/", "")


@asynccontextmanager
async def living(env: WorkflowEnvironment, **options: Any) -> AsyncIterator[Lives]:
    """Lives on a server, with a worker of these options."""
    outside = Outside()
    async with Worker(
        env.client,
        task_queue=names.ORDERS_QUEUE,
        workflows=[ServiceOrder],
        activities=outside.activities,
        **options,
    ):
        yield Lives(env, outside)


async def ending(story: Story, **options: Any) -> WorkflowHistory:
    """The history of the order that a test lives, with a worker of these options."""
    started: list[Life] = []

    class Noted(Lives):
        async def start(self, *args: object, **changes: object) -> Life:
            life = await super().start(*args, **changes)
            started.append(life)
            return life

    async with skipping_server() as env, living(env, **options) as lives:
        await story(Noted(env, lives.outside))
        (life,) = started
        return await life.handle.fetch_history()


async def continued() -> list[WorkflowHistory]:
    """The histories of an order that outgrew them, while the mail server was down."""
    small = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=50")
    async with dev_server(*small) as env, living(env) as lives:
        life = await lives.start(policy=IN_SECONDS)
        while (await life.order()).status is not Status.NEW:
            await asyncio.sleep(0.1)
        await life.do(Accept())
        lives.outside.down.add(SEND_MAIL)
        request = str(uuid.uuid4())
        await life.do(LogContact(outcome="reached"), request_id=request)
        await life.tell(Accept(), life.partner)
        first = (await life.handle.describe()).run_id
        while (await life.handle.describe()).run_id == first:
            await life.do(LogContact(outcome="not_reached"))
        await life.do(LogContact(outcome="reached"), request_id=request)
        await life.do(Cancel(reason="doch nicht"), SHOP)
        lives.outside.down.clear()
        await life.handle.result()
        runs = [first, (await life.handle.describe()).run_id]
        handles = [env.client.get_workflow_handle(life.sp_id, run_id=run) for run in runs]
        return [await handle.fetch_history() for handle in handles]


async def settlement(
    story: Callable[[SettlementLives], Awaitable[None]], **options: Any
) -> WorkflowHistory:
    """The history of the settlement that a test lives, with a worker of these options."""
    started: list[SettlementLife] = []

    class Noted(SettlementLives):
        async def start(self, *sp_ids: str, **changes: object) -> SettlementLife:
            life = await super().start(*sp_ids, **changes)
            started.append(life)
            return life

    async with skipping_server() as env, settlement_lives(env, **options) as month:
        await story(Noted(env, month.outside))
        (life,) = started
        return await life.handle.fetch_history()


async def month_end(story: Callable[[SettlementLives], Awaitable[None]]) -> WorkflowHistory:
    """The history of the month's end that a test lives."""
    async with skipping_server() as env, settlement_lives(env) as month:
        await story(month)
        return await env.client.get_workflow_handle(names.MONTHLY_BILLING_ID).fetch_history()


async def claims_continued() -> list[WorkflowHistory]:
    """The histories of a settlement that outgrew them in the middle of its claims."""
    async with test_settlements.short_histories() as month:
        life, runs = await test_settlements.claims_over_two_runs(month)
        await test_settlements.noted(life)
        handles = [month.client.get_workflow_handle(life.handle.id, run_id=run) for run in runs[:2]]
        return [await handle.fetch_history() for handle in handles]


RECORDINGS: dict[str, Callable[[], Awaitable[WorkflowHistory]]] = {
    **{name: partial(ending, story) for name, story in (ENDINGS | LATER).items()},
    **{name: partial(settlement, story) for name, story in SETTLEMENTS.items()},
    **{name: partial(month_end, story) for name, story in MONTHS.items()},
}


async def main(wanted: str = "") -> None:
    """Record all whose names begin so, in the place of those that were there."""
    logging.disable(logging.ERROR)  # activities fail on purpose
    recorded = {
        name: await record() for name, record in RECORDINGS.items() if name.startswith(wanted)
    }
    for what, several in (
        ("continued-as-new", continued),
        ("settlement-claims-continued", claims_continued),
    ):
        if what.startswith(wanted):
            for number, history in enumerate(await several(), start=1):
                recorded[f"{what}-{number}"] = history
    kept = HISTORIES / "timelines.json"
    timelines = json.loads(kept.read_text())
    for name, history in recorded.items():
        where = name if name in MONTHS else f"shell-{names.SHELL}/{name}"
        keep(history, HISTORIES / f"{where}.json")
        timelines[where] = await timeline(history)
    kept.write_text(json.dumps(timelines, indent=1) + "\n")
    if "digest".startswith(wanted):
        keep(await test_daily_digest.one_morning(), test_daily_digest.HISTORY)


def keep(history: WorkflowHistory, path: Path) -> None:
    """Write a history, without what tells where it was recorded."""
    plain = json.dumps(json.loads(history.to_json()), separators=(",", ":"))
    path.parent.mkdir(exist_ok=True)
    path.write_text(_without_the_machine(plain) + "\n")
    print(f"{path.relative_to(Path.cwd())}: {len(history.events)} events", file=sys.stderr)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:2]))
