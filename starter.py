"""Commands for operations: place orders, add partners, settle a month, make logins, revive workflows, adopt rules."""

import argparse
import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlalchemy.exc import SQLAlchemyError
from temporalio.service import RPCError

import words
from contracts import names
from contracts.activities import SettlementOf
from domain import rules
from domain.errors import InvalidCommand
from domain.months import Month
from domain.orders.order import Order
from domain.orders.placement import Placement
from domain.policies import UnknownPolicy
from domain.settlements.ids import is_settlement_id
from domain.settlements.settlement import Settlement
from records.database import Database
from records.mails import MailLog
from records.migrate import migrate
from records.orders import Orders
from records.partners import Partner, Partners
from records.reconciliation import Reconciliation
from records.settlements import Settlements
from settings import Settings, SettingsError, keep_files_private
from temporal.calls import TemporalAway
from temporal.connection import NoConnection, connect, leave
from temporal.schedules import put_schedules
from use_cases import replay_failures
from use_cases.account_errors import Conflict, WrongFields
from use_cases.accounts import Accounts
from use_cases.adoption import FAILED, RESULTS, Adoption, NotAdoptable, Result, check_version
from use_cases.input_files import UnusableFile, read_items
from use_cases.opening import NotReleased, open_month
from use_cases.orders import AlreadyPlaced, OrderUseCases
from use_cases.partner_numbers import checked
from use_cases.revival import NotRevivable, Revival, SettlementRevival
from use_cases.settlement_gateway import SettlementGateway
from use_cases.settlements import PATIENCE


class WrongInput(Exception):
    """An argument cannot be used; the text says which and why, in one line."""


class Unanswered(Exception):
    """Some orders or settlements did not answer; the text says how many. The command can be repeated."""


async def place_orders(settings: Settings, given: argparse.Namespace) -> None:
    """Place the orders of the files, and print SP-ID and state of each.

    Raises:
        UnusableFile: a file cannot be read; no order was placed.
        WrongInput: an order cannot be placed. Those before it were placed, those after it were not.
        UnknownPolicy: the policy of its partner is missing; otherwise as for `WrongInput`.
    """
    placements: list[tuple[Path, int, Placement]] = [
        (path, number, placement)
        for path in given.files
        for number, placement in enumerate(read_items(path, Placement), start=1)
    ]
    policies = settings.load_policies()
    async with open_database(settings) as database:
        client, partners = await connect(settings, database), Partners(database)
        use_cases = OrderUseCases(client, Orders(database), partners, policies, settings.display)
        for path, number, placement in placements:
            try:
                placed = await use_cases.place(placement)
            except InvalidCommand as error:
                value, why = getattr(placement, error.field), words.invalid_text(error.code, "en")
                raise WrongInput(f"{path}: item {number}: {error.field}: {value}: {why}") from error
            except AlreadyPlaced as error:
                raise WrongInput(f"{path}: item {number}: {error}") from error
            order = placed.snapshot.order
            print(order.sp_id, order.status.value, "" if placed.is_new else "(was there already)")


async def put_partners(settings: Settings, given: argparse.Namespace) -> None:
    """Add or update the partners of files. A changed IBAN waits for operations; status and policy stay if not named.

    Raises:
        UnusableFile: a file cannot be read, or a UID or IBAN is invalid; nothing was changed.
        WrongInput: a partner names a policy that does not exist; nothing was changed.
    """
    policies = settings.load_policies().named
    partners = checked(p for path in given.files for p in read_items(path, Partner))
    for name, policy in ((each.partner_id, each.policy) for each in partners):
        if policy not in (None, *policies):
            raise WrongInput(f"{name}: policy: there is no policy with this name: {policy}")
    async with open_database(settings) as database:
        for partner in partners:
            await Partners(database).put(partner, datetime.now(UTC))
            print(partner.partner_id, partner.canton, partner.name)


async def make_admin(settings: Settings, given: argparse.Namespace) -> None:
    """Make an operations login, mail its invitation and print the link, in case mail does not work yet.

    Raises:
        WrongInput: it is not an e-mail address, or another login has it.
    """
    async with open_database(settings) as database:
        accounts = Accounts(database, settings)
        try:
            made = await accounts.first_operations_login(given.email)
        except (Conflict, WrongFields) as error:
            raise WrongInput(f"--email {given.email}: {error}") from error
        finally:
            await accounts.close()
    mailed = "mailed, too" if made.mailed else "it could not be mailed"
    print(f"operations login for {made.user.email}; choose a password within 72 hours ({mailed}):")
    print(made.link)


async def settle(settings: Settings, given: argparse.Namespace) -> None:
    """Open one partner's settlement of a month, with all orders of the month selected; print its id and state.

    Raises:
        WrongInput: there is no such partner or month, the month has not begun, or there is nothing to bill.
        UnknownPolicy: the partner's policy is missing.
    """
    try:
        month = Month.parse(given.month)
    except ValueError as error:
        raise WrongInput(f"--month {given.month}: {error}") from error
    policies, now = settings.load_policies(), datetime.now(UTC)
    zone = ZoneInfo(policies.standard.office.timezone)
    if Month.of(now.astimezone(zone).date()) < month:
        raise WrongInput(f"--month {month}: it has not begun")
    async with open_database(settings) as database:
        settlements = Settlements(database)
        partner = await Partners(database).get(given.partner)
        if partner is None:
            raise WrongInput(f"--partner {given.partner}: there is no such partner")
        client = await connect(settings, database)
        begun = await open_month(
            client,
            settlements,
            partner,
            month,
            now,
            policies=policies,
            vat_rates=settings.vat_percentages,
            display=settings.display,
        )
        latest = await settlements.latest_of_month(partner.partner_id, month)
        settlement = begun.settlement if begun is not None else latest
        if settlement is None:  # it may not be recorded yet, because the database was away
            of = SettlementOf(partner_id=partner.partner_id, month=month)
            stored = await SettlementGateway(client, settlements, PATIENCE).fetch(of)
            settlement = stored.settlement if stored is not None else None
    if settlement is None:
        raise WrongInput(f"--partner {partner.partner_id}: nothing to bill until {month.last_day}")
    orders, note = len(settlement.picked), "" if begun is not None else "(was there already)"
    print(settlement.settlement_id, settlement.status.value, f"{orders} orders", note)


async def update_schedules(settings: Settings, _: argparse.Namespace) -> None:
    """Create the Temporal Schedules, or update those that exist."""
    client = await connect(settings)
    for schedule_id, is_new in (await put_schedules(client, settings.load_policy().office)).items():
        print(schedule_id, "created" if is_new else "up to date")


async def revive(settings: Settings, given: argparse.Namespace) -> None:
    """Start a new run for an order or a settlement whose workflow was terminated, has failed or is lost.

    Raises:
        WrongInput: it cannot be revived; the text says why.
    """
    name: str = given.name
    async with open_database(settings) as database:
        client = await connect(settings, database)
        outside = MailLog(database), settings.display
        revived: Order | Settlement
        try:
            if is_settlement_id(name):
                settlements = SettlementRevival(client, Settlements(database), *outside)
                revived = await settlements.revive(name, from_records=given.from_records)
            else:
                orders = Revival(client, Orders(database), *outside)
                revived = await orders.revive(name, from_records=given.from_records)
        except NotRevivable as error:
            raise WrongInput(str(error)) from error
    print(name, revived.status.value, f"goes on from version {revived.version}")


async def stuck(settings: Settings, given: argparse.Namespace) -> None:
    """Print why the workflow of an order or a settlement is stuck, and the commands that help, if any are known.

    Raises:
        WrongInput: there is no such settlement, or it is not stuck.
    """
    name = given.name
    async with open_database(settings) as database:
        workflow_id = names.order_id(name)
        if is_settlement_id(name):
            stored = await Settlements(database).get(name)
            if stored is None:
                raise WrongInput(f"{name}: the records know no such settlement")
            of = SettlementOf.opened_by(stored.settlement.opening)
            workflow_id = names.settlement_workflow_id(of.partner_id, of.month, of.number)
        found = await replay_failures.look(await connect(settings, database), workflow_id)
    if found is None:
        raise WrongInput(f"{name}: its tasks do not fail by a history that cannot be replayed")
    print(*replay_failures.advice(found, name, workflow_id), sep="\n")


async def adopt_rules(settings: Settings, given: argparse.Namespace) -> None:
    """Have the named orders and settlements, or all open ones, adopt a version of the rules.

    Prints a line for each name, or a total if none was named, and a line for each failure.

    Raises:
        WrongInput: there is no such version, or one that was named is unknown, closed or under newer rules. Nothing
            was changed.
        Unanswered: some did not answer.
    """
    counts: Counter[Result] = Counter()
    try:
        check_version(given.version)
        async with open_database(settings) as database:
            client, policies = await connect(settings, database), settings.load_policies()
            records = Orders(database), Settlements(database), Reconciliation(database)
            adoption = Adoption(client, *records, policies, Partners(database))
            async for name, result in adoption.adopt(given.version, given.names):
                counts[result] += 1
                if given.names or result in FAILED:
                    print(name, RESULTS[result].format(version=given.version))
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


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncIterator[Database]:
    """The database of the records; an SQLite file is migrated first."""
    if settings.database_url.startswith("sqlite"):
        await migrate(settings.database_url)
    database = Database(settings.database_url, settings.connections)
    try:
        yield database
    finally:
        await database.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(
        name: str, work: Callable[[Settings, argparse.Namespace], Awaitable[None]], meaning: str
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=meaning, description=meaning)
        command.set_defaults(work=work)
        return command

    add(
        "order",
        place_orders,
        "place the orders of JSON files (the body of POST /orders, or a list)",
    ).add_argument("files", nargs="+", type=Path, metavar="FILE")
    add(
        "partner", put_partners, "add partners from JSON files, or bring them up to date"
    ).add_argument("files", nargs="+", type=Path, metavar="FILE")
    add(
        "admin",
        make_admin,
        "make an operations login, such as the first one, and print its invitation's link",
    ).add_argument("--email", required=True, metavar="E")
    command = add(
        "settle",
        settle,
        "open one partner's settlement of a month by hand, as the month's end does by itself",
    )
    command.add_argument("--partner", required=True, metavar="P", help="the partner's id")
    command.add_argument("--month", required=True, metavar="M", help="a month, such as 2026-10")
    add("schedules", update_schedules, "create the Temporal Schedules, or bring them up to date")
    command = add(
        "revive",
        revive,
        "start a new run for an order or a settlement whose workflow was terminated, has failed or is lost",
    )
    command.add_argument("name", metavar="SP-ID", help="or a settlement's number")
    command.add_argument(
        "--from-records",
        action="store_true",
        help="trust the records, if the workflow cannot tell its state",
    )
    add(
        "stuck", stuck, "say why an order or a settlement is stuck, and how to repair it"
    ).add_argument("name", metavar="SP-ID", help="or a settlement's number")
    command = add(
        "adopt-rules",
        adopt_rules,
        "bring orders and settlements, or all that are open, to newer rules; safe to repeat",
    )
    command.add_argument(
        "names", nargs="*", metavar="SP-ID", help="or a settlement's number; all, if none is named"
    )
    command.add_argument(
        "--version",
        type=int,
        default=rules.CURRENT,
        metavar="N",
        help=f"a version of domain/rules.py; {rules.CURRENT} by default",
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code: 2 for wrong input, 1 if Temporal, the database or an answer is missing."""
    options = _parser().parse_args(arguments)
    keep_files_private()
    try:
        asyncio.run(options.work(Settings.from_env(), options))
    except (WrongInput, UnusableFile, SettingsError, UnknownPolicy) as error:
        print(error, file=sys.stderr)
        return 2
    except (Unanswered, NotReleased) as error:
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
