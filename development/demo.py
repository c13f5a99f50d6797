"""The demonstration: orders reach every ending and a partner settles them, unattended and with skipped time."""

import argparse
import asyncio
import hashlib
import os
import shutil
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from temporalio.client import Client

from development.api_client import PATIENCE, Api, CallFailed, read_credentials
from development.demo_stories import STORIES
from development.demo_story import DemoFailed, Stage, Story, progress_table
from development.embedded import ROOT, free_port
from development.sample_data import ZURICH, read_orders
from domain.orders.order import Status
from domain.settlements.settlement import SettlementStatus
from scripts.system_packages import why_missing
from settings import keep_files_private
from temporal.connection import data_converter, leave


@asynccontextmanager
async def product(folder: Path) -> AsyncIterator[dict[str, int]]:
    """Run `dev.py` on free ports, with its data in a new folder. Yields the ports."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    ports = {name: free_port() for name in ("http", "temporal", "ui", "smtp")}
    options = [text for name, port in ports.items() for text in (f"--{name}-port", str(port))]
    env = {key: value for key, value in os.environ.items() if not key.startswith("CMI_")}
    with (folder / "dev.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(  # noqa: TID251 - on asyncio's own loop
            sys.executable,
            str(ROOT / "dev.py"),
            *("--data-dir", str(folder), "--no-sample-data", *options),
            env=env,
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(120):
                while (line := await process.stdout.readline()).strip() != b"ready":
                    if not line:
                        raise DemoFailed(f"dev.py did not come up; see {folder / 'dev.log'}")
            yield ports
        finally:
            process.terminate()
            await process.wait()


async def run(folder: Path, console: Console) -> None:
    """Run the demonstration.

    Raises:
        DemoFailed: the product did not do what a story expects.
        CallFailed: the API refused a call.
    """
    console.print("Starting Temporal, mail server, worker and web application …")
    async with product(folder) as ports:
        credentials = read_credentials(folder / "credentials.json")
        temporal = await Client.connect(
            f"127.0.0.1:{ports['temporal']}", data_converter=data_converter()
        )
        async with Api(f"http://127.0.0.1:{ports['http']}", credentials) as api:
            stage = Stage(api, temporal, console)
            await stage.invite_partners()
            stories = []
            for title, place, number, play in STORIES:
                stories.append((Story(stage, title, read_orders(place)[number]), play))
            with Live(progress_table(stage.orders), console=console, refresh_per_second=8) as live:
                stage.live = live
                await asyncio.gather(*(play(story) for story, play in stories))
                live.update(progress_table(stage.orders))
            console.print()
            if reason := why_missing("pango"):
                console.print(f"No settlement, since no document can be made; {reason}")
            else:
                await settle(stage, folder)
        console.print()
        _show_mails(folder / "mail", console)


async def settle(stage: Stage, folder: Path) -> None:
    """The partner with the most executed orders bills them and sends its invoice. Documents are saved in `folder`."""
    api, say = stage.api, stage.console.print
    executed: dict[str, list[str]] = {}
    for order in stage.orders:
        if order.status == Status.COMPLETED.value:
            executed.setdefault(order.partner, []).append(order.sp_id)
    partner, sp_ids = max(executed.items(), key=lambda each: len(each[1]))
    unfinished = next(
        order.sp_id
        for order in stage.orders
        if order.partner == partner and order.sp_id not in sp_ids
    )
    say(f"[bold]{partner} settles the month")
    opened = await api.post(partner, "/settlements", {"sp_ids": [*sp_ids, unfinished]})
    path = f"/settlements/{opened['settlement_id']}"
    say(f"  {opened['settlement_id']}: {len(sp_ids)} orders picked, {unfinished} is left out")
    seen = await _wait_until_issued(api, partner, path)
    say(f"  every order claimed; net {seen['net']}, VAT {seen['vat']}, total CHF {seen['total']}")

    async def download(name: str) -> bytes:
        content = (await api.call(partner, "GET", f"{path}/{name}")).content
        (folder / name).write_bytes(content)
        return content

    await download("statement.csv")
    statement = await download("statement.pdf")
    if hashlib.sha256(statement).hexdigest() != seen["statement"]["sha256"]:
        raise DemoFailed("the statement is not the one that was issued")
    say(f"  the statement: {folder / 'statement.pdf'}")
    say("  (the orders' clocks have skipped ahead: the visits on it are later than its month)")
    returned = await api.call(partner, "POST", f"{path}/invoice", file=statement)
    say(f"  by mistake it is sent as the invoice, and comes back: {returned.json()['problems'][0]}")
    await download("draft-invoice.pdf")
    today = f"{datetime.now(ZURICH):%Y-%m-%d}"
    own = {"invoice_number": "R-2026-001", "invoice_date": today}
    verdict = await api.post(partner, f"{path}/make-invoice", own)
    if not verdict["accepted"]:
        raise DemoFailed(f"the invoice that was made is not right: {verdict}")
    await download("invoice.pdf")
    say(f"  the invoice R-2026-001 is made and handed in: {folder / 'invoice.pdf'}")
    await _wait_for_mail(folder / "mail", "accounting@localhost")
    say("  accounting has it by mail, approves it and pays it")
    await api.post("accounting", f"{path}/approve", {})
    paid = await api.post("accounting", f"{path}/paid", {"paid_on": today})
    say(f"  {opened['settlement_id']} is {paid['status']}")


async def _wait_until_issued(api: Api, partner: str, path: str) -> dict[str, Any]:
    async with asyncio.timeout(PATIENCE):
        while True:
            seen: dict[str, Any] = await api.get(partner, path)
            if seen["status"] == SettlementStatus.ISSUED:
                return seen
            await asyncio.sleep(0.1)


async def _wait_for_mail(folder: Path, receiver: str) -> None:
    async with asyncio.timeout(PATIENCE):
        while receiver not in _receivers(folder):
            await asyncio.sleep(0.1)


def _receivers(folder: Path) -> Counter[str]:
    """How many mails each address received."""
    return Counter(
        str(message_from_bytes(path.read_bytes(), policy=policy.default)["To"])
        for path in folder.glob("*.eml")
    )


def _show_mails(folder: Path, console: Console) -> None:
    drawn = Table(title="Mails", title_justify="left")
    drawn.add_column("to")
    drawn.add_column("how many", justify="right")
    for receiver, number in _receivers(folder).most_common():
        drawn.add_row(receiver, str(number))
    console.print(drawn)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--folder",
        type=Path,
        default=Path("var/demo"),
        help="where its documents, mails and data go (var/demo)",
    )
    options = parser.parse_args(arguments)
    keep_files_private()
    console = Console()
    if not console.is_terminal:
        console = Console(width=140)
    started = datetime.now(UTC)
    try:
        asyncio.run(run(options.folder, console))
    except (DemoFailed, CallFailed) as error:
        console.print(f"[bold red]{error}")
        return 1
    console.print(
        f"Done in {(datetime.now(UTC) - started).seconds} s. Each order lived weeks under the standard policy."
    )
    console.print(f"  mails              {options.folder / 'mail'}")
    console.print(f"  shipping requests  {options.folder / 'warehouse'}")
    console.print(
        f"  Temporal UI        make run ARGS='--data-dir {options.folder}', then http://localhost:8233"
    )
    return 0


if __name__ == "__main__":
    leave(main())
