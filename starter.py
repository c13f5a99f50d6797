"""The commands of operations: place orders, keep partners, settle a month, make logins, revive, adopt newer rules."""

import argparse
import asyncio
import contextlib
import json
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from temporalio.service import RPCError

from contracts import names
from contracts.activities import SettlementOf
from contracts.messages import Desk
from domain import rules, words
from domain.errors import InvalidCommand
from domain.months import Month
from domain.orders.order import Order, Placement
from domain.settlements.ids import is_settlement_id, settlement_id
from domain.settlements.lifecycle import Settling
from records.database import Database
from records.mails import MailLog
from records.migrate import migrate
from records.orders import Orders
from records.partners import Partner, Partners
from records.reconciliation import Reconciliation
from records.settlements import Settlements
from settings import Settings, SettingsError
from temporal.calls import TemporalAway
from temporal.connection import NoConnection, connect, leave
from temporal.schedules import put_schedules
from use_cases import standstill
from use_cases.account_errors import Conflict, WrongFields
from use_cases.accounts import Accounts
from use_cases.adoption import FAILED, Adoption, NotAdoptable, Result, check_version
from use_cases.opening import open_month
from use_cases.orders import AlreadyPlaced, OrderDesk
from use_cases.revival import NotRevivable, Revival, SettlementRevival
from use_cases.settlement_calls import SettlementTalks
from use_cases.settlements import PATIENCE


class WrongInput(Exception):
    """What was given cannot be used; the text says what and where, in a line."""


class Unanswered(Exception):
    """Not all was done, and the same command can be given again; the text says how much, in a line."""


def read_json(path: Path) -> list[Any]:
    """The items of a JSON file that holds one or a list of them.

    Raises:
        WrongInput: no such file, or not JSON.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise WrongInput(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    except json.JSONDecodeError as error:
        raise WrongInput(f"{path}: line {error.lineno}: not JSON: {error.msg}") from error
    return content if isinstance(content, list) else [content]


def parse(path: Path, model: type[Any]) -> list[Any]:
    """The items of a file as values of the domain.

    Raises:
        WrongInput: it names file, item and field.
    """
    items = []
    for number, raw in enumerate(read_json(path), start=1):
        try:
            items.append(model.model_validate(raw, extra="forbid"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            field = ".".join(str(part) for part in first["loc"]) or "item"
            raise WrongInput(f"{path}: item {number}: {field}: {first['msg']}") from error
    return items


async def place_orders(settings: Settings, files: Sequence[Path]) -> None:
    """Place the orders of the files, and print SP-ID and state of each.

    Raises:
        WrongInput: nothing of the file that is named was placed, or nothing from the item on that is named.
    """
    placements: list[tuple[Path, int, Placement]] = [
        (path, number, placement)
        for path in files
        for number, placement in enumerate(parse(path, Placement), start=1)
    ]
    policy = settings.load_policy()
    async with opened(settings) as database:
        desk = OrderDesk(
            await connect(settings),
            Orders(database),
            Partners(database),
            policy,
            desk_of(settings),
        )
        for path, number, placement in placements:
            try:
                placed = await desk.place(placement)
            except InvalidCommand as error:
                value, text = getattr(placement, error.field), words.invalid_text(error.code, "en")
                raise WrongInput(
                    f"{path}: item {number}: {error.field}: {value}: {text}"
                ) from error
            except AlreadyPlaced as error:
                raise WrongInput(f"{path}: item {number}: {error}") from error
            order = placed.snapshot.order
            print(order.sp_id, order.status.value, "" if placed.is_new else "(was there already)")


async def keep_partners(settings: Settings, files: Sequence[Path]) -> None:
    """Add the partners of the files, or bring those that are known up to date.

    Raises:
        WrongInput: a file or an item in it cannot be used; nothing was changed.
    """
    partners: list[Partner] = [partner for path in files for partner in parse(path, Partner)]
    async with opened(settings) as database:
        for partner in partners:
            await Partners(database).put(partner, datetime.now(UTC))
            print(partner.partner_id, partner.canton, partner.name)


async def make_admin(settings: Settings, email: str) -> None:
    """Make an operations login, mail its invitation and print the link, for where mail does not work yet.

    Raises:
        WrongInput: no e-mail address, or that of another login.
    """
    async with opened(settings) as database:
        accounts = Accounts(database, settings)
        try:
            made = await accounts.first_operations_login(email)
        except (Conflict, WrongFields) as error:
            raise WrongInput(f"--email {email}: {error}") from error
        finally:
            await accounts.close()
    mailed = "mailed, too" if made.mailed else "it could not be mailed"
    print(f"operations login for {made.user.email}; choose a password within 72 hours ({mailed}):")
    print(made.link)


async def settle(settings: Settings, given: argparse.Namespace) -> None:
    """Open one partner's settlement of a month, as the month's end does: with all its orders picked, for the partner to
    change. One that is there already is named with its state.

    Raises:
        WrongInput: no such partner, no such month, one that has not begun, or nothing to bill.
    """
    try:
        month = Month.parse(given.month)
    except ValueError as error:
        raise WrongInput(f"--month {given.month}: {error}") from error
    policy, now = settings.load_policy(), datetime.now(UTC)
    if Month.of(now.astimezone(ZoneInfo(policy.office.timezone)).date()) < month:
        raise WrongInput(f"--month {month}: it has not begun")
    async with opened(settings) as database:
        settlements = Settlements(database)
        partner = await Partners(database).get(given.partner)
        if partner is None:
            raise WrongInput(f"--partner {given.partner}: there is no such partner")
        client = await connect(settings)
        begun = await open_month(
            client,
            settlements,
            partner,
            month,
            now,
            policy=policy,
            vat_rates=settings.vat_percentages,
            desk=desk_of(settings),
        )
        stored = await settlements.get(settlement_id(partner.partner_id, month))
        if stored is None:  # opened while the database was away, and not recorded yet?
            of = SettlementOf(partner_id=partner.partner_id, month=month)
            stored = await SettlementTalks(client, settlements, PATIENCE).fetch(of)
    if stored is None:
        raise WrongInput(f"--partner {partner.partner_id}: nothing to bill until {month.last_day}")
    settling = stored.settling
    was_there = "" if begun is not None else "(was there already)"
    print(
        settling.settlement_id, settling.status.value, f"{len(settling.picked)} orders", was_there
    )


async def keep_schedules(settings: Settings, _: None) -> None:
    """Create the Temporal Schedules, or bring those that are there up to date."""
    office = settings.load_policy().office
    for schedule_id, is_new in (await put_schedules(await connect(settings), office)).items():
        print(schedule_id, "created" if is_new else "up to date")


async def revive(settings: Settings, given: argparse.Namespace) -> None:
    """Start a new workflow run for an order or a settlement whose workflow was terminated, has failed or is lost.

    Raises:
        WrongInput: there is nothing to revive.
    """
    name, from_records = given.name, given.from_records
    async with opened(settings) as database:
        client, mails, desk = await connect(settings), MailLog(database), desk_of(settings)
        revived: Order | Settling
        try:
            if is_settlement_id(name):
                settlements = Settlements(database)
                settlement_revival = SettlementRevival(client, settlements, mails, desk)
                revived = await settlement_revival.revive(name, from_records=from_records)
            else:
                revival = Revival(client, Orders(database), mails, desk)
                revived = await revival.revive(name, from_records=from_records)
        except NotRevivable as error:
            raise WrongInput(str(error)) from error
    print(name, revived.status.value, f"goes on from version {revived.version}")


async def stuck(settings: Settings, given: argparse.Namespace) -> None:
    """Print why the workflow of an order or a settlement stands still, and the way back, if it is known.

    Raises:
        WrongInput: no such settlement, or its tasks do not fail.
    """
    name = given.name
    async with opened(settings) as database:
        workflow_id = names.order_id(name)
        if is_settlement_id(name):
            stored = await Settlements(database).get(name)
            if stored is None:
                raise WrongInput(f"{name}: the records know no such settlement")
            account = stored.account
            workflow_id = names.settlement_workflow_id(account.partner_id, account.month)
    found = await standstill.look(await connect(settings), workflow_id)
    if found is None:
        raise WrongInput(f"{name}: its tasks do not fail by a history that cannot be replayed")
    print(f"{name} stands still: {found.failure}")
    if found.back_to is None:
        print("No reset is known to help: start workers of the release that it ran with.")
        return
    if found.can_be_reset:
        print("The way back; what came after that event it is told again:")
        print(
            f"  temporal workflow reset --workflow-id {workflow_id} --event-id {found.back_to}"
            f' --reason "cannot be replayed"'
        )
    else:
        print("A reset would not last. The way back:")
        print(f'  temporal workflow terminate --workflow-id {workflow_id} --reason "stuck"')
        print(f"  python starter.py revive {name} --from-records")
        print("Signals that are not in the timeline have to be sent again.")
    for each in found.told:
        print(
            f"  {each.at.isoformat(timespec='seconds')} {each.name}{'' if each.waits else ' (signal)'}"
        )


async def adopt_rules(settings: Settings, given: argparse.Namespace) -> None:
    """Bring the orders and settlements that are named, or all open ones, to a version of the rules.

    Prints a line for each that was named, else a sum, and each one that has to be asked again.

    Raises:
        WrongInput: no such version, or one of those named is unknown, closed or under newer rules; nothing was done.
        Unanswered: some did not answer.
    """
    counts: Counter[Result] = Counter()
    try:
        check_version(given.version)
        async with opened(settings) as database:
            adoption = Adoption(
                await connect(settings),
                Orders(database),
                Settlements(database),
                Reconciliation(database),
                settings.load_policy(),
            )
            async for name, result in adoption.adopt(given.version, given.names):
                counts[result] += 1
                if given.names or result in FAILED:
                    print(name, _RESULTS[result].format(version=given.version))
    except NotAdoptable as error:
        raise WrongInput(str(error)) from error
    failed = sum(counts[result] for result in FAILED)
    if not given.names:
        print(
            f"version {given.version}: {counts['adopted']} adopted or had it, "
            f"{counts['newer']} under newer rules, {counts['closed']} closed meanwhile, {failed} failed"
        )
    if failed:
        raise Unanswered(f"{failed} did not adopt the rules; the same command asks again")


_RESULTS: dict[Result, str] = {
    "adopted": "is under version {version}",
    "newer": "is under newer rules already",
    "closed": "was closed meanwhile",
    "no_answer": "does not answer",
    "not_running": "has no running workflow: python starter.py revive",
    "old_worker": "has a worker that does not know version {version} yet",
    "broken": "has a workflow that is broken: python starter.py stuck",
}


def desk_of(settings: Settings) -> Desk:
    """What an order's workflow is told of its surroundings."""
    return Desk(public_url=settings.public_url, language=settings.operations_language)


@contextlib.asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Database]:
    """The records; an embedded database is brought up to date first."""
    if settings.database_url.startswith("sqlite"):
        await migrate(settings.database_url)
    database = Database(settings.database_url)
    try:
        yield database
    finally:
        await database.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 2 for wrong input, 1 if Temporal, the database or an answer is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, work, meaning in (
        (
            "order",
            place_orders,
            "place the orders of JSON files (the body of POST /orders, or a list)",
        ),
        ("partner", keep_partners, "add partners from JSON files, or bring them up to date"),
    ):
        command = commands.add_parser(name, help=meaning, description=meaning)
        command.add_argument("files", nargs="+", type=Path, metavar="FILE")
        command.set_defaults(work=work, given="files")
    meaning = "make an operations login, such as the first one, and print its invitation's link"
    command = commands.add_parser("admin", help=meaning, description=meaning)
    command.add_argument("--email", required=True, metavar="E")
    command.set_defaults(work=make_admin, given="email")
    meaning = "open one partner's settlement of a month by hand, as the month's end does by itself"
    command = commands.add_parser("settle", help=meaning, description=meaning)
    command.add_argument("--partner", required=True, metavar="P", help="the partner's id")
    command.add_argument("--month", required=True, metavar="M", help="a month, such as 2026-10")
    command.set_defaults(work=settle)
    meaning = "create the Temporal Schedules, or bring them up to date"
    command = commands.add_parser("schedules", help=meaning, description=meaning)
    command.set_defaults(work=keep_schedules, given="nothing", nothing=None)
    meaning = (
        "let an order or a settlement go on whose workflow was terminated, has failed or is lost"
    )
    command = commands.add_parser("revive", help=meaning, description=meaning)
    command.add_argument("name", metavar="SP-ID", help="or a settlement's number")
    command.add_argument(
        "--from-records",
        action="store_true",
        help="trust what the records hold, if the workflow cannot tell where it stood",
    )
    command.set_defaults(work=revive)
    meaning = "say why an order or a settlement is stuck, and what brings it back"
    command = commands.add_parser("stuck", help=meaning, description=meaning)
    command.add_argument("name", metavar="SP-ID", help="or a settlement's number")
    command.set_defaults(work=stuck)
    meaning = "bring orders and settlements, or all that are open, to newer rules; twice is once"
    command = commands.add_parser("adopt-rules", help=meaning, description=meaning)
    command.add_argument(
        "names", nargs="*", metavar="SP-ID", help="or a settlement's number; all, if none is named"
    )
    command.add_argument(
        "--version",
        type=int,
        default=rules.CURRENT,
        metavar="N",
        help=f"a version of domain/rules.py; {rules.CURRENT} if nothing else is said",
    )
    command.set_defaults(work=adopt_rules)
    options = parser.parse_args(arguments)
    try:
        settings = Settings.from_env()
        given = getattr(options, options.given) if "given" in options else options
        asyncio.run(options.work(settings, given))
    except (WrongInput, SettingsError) as error:
        print(error, file=sys.stderr)
        return 2
    except Unanswered as error:
        print(error, file=sys.stderr)
        return 1
    except (RPCError, NoConnection, TemporalAway) as error:
        print(f"Temporal is away: {error}", file=sys.stderr)
        return 1
    except (SQLAlchemyError, OSError) as error:
        print(f"the database is away: {type(error).__name__}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    leave(main())
