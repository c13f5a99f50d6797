"""The sample data of `dev.py`: logins and tokens, partners, and orders in every state, made through the API."""

import asyncio
import email
import email.policy
import json
import os
import re
import secrets
from collections.abc import Collection
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import httpx
from temporalio.client import Client
from temporalio.testing import TimeSkipper, TimeSkippingConfig

from contracts import names
from development.api_client import PATIENCE, Api, CallFailed, Credentials, read_credentials
from development.embedded import ROOT
from domain.orders.order import Status
from domain.policy import Policy
from files.atomic import write_atomically
from records.database import Database
from settings import Settings
from use_cases.accounts import Accounts
from use_cases.principal import Role

EXAMPLES = ROOT / "examples"
ZURICH = ZoneInfo("Europe/Zurich")
StaffRole = Literal["operations", "accounting"]
STAFF_LOGINS: dict[StaffRole, str] = {
    "operations": "anna.meier@retailer.example",
    "accounting": "reto.kunz@retailer.example",
}
"""The e-mail addresses of the sample logins of the staff."""
TECHNICIAN_OF = "luzern-montage"
TECHNICIAN = "urs.bachmann@luzern-montage.example"
"""The e-mail address of the sample technician. All other sample logins of partners have the role of the office."""
_LINK = re.compile(r"/invitation/([A-Za-z0-9_-]+)")


def mailed_secret(mails: Path, address: str) -> str | None:
    """The secret in the last invitation that was mailed to an address; None if there is no such mail."""
    for path in sorted(mails.glob("*.eml"), reverse=True):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        body = mail.get_body(("plain",))
        found = _LINK.search(body.get_content()) if body else None
        if found and address in str(mail["To"]):
            return found.group(1)
    return None


class LoginMaker:
    """Makes tokens, and logins by following the mailed invitation and choosing a password."""

    def __init__(self, accounts: Accounts, mails: Path) -> None:
        self._accounts = accounts
        self._mails = mails

    async def token(self, role: Role, name: str) -> str:
        """A new token of one of the retailer's roles."""
        _, token = await self._accounts.tokens.make(role, name, None)
        return token

    async def password(self, address: str) -> str:
        """Wait for the invitation to an address, and follow it. Returns the chosen password."""
        async with asyncio.timeout(PATIENCE):
            while (secret := mailed_secret(self._mails, address)) is None:
                await asyncio.sleep(0.05)
        chosen = secrets.token_urlsafe(15)
        await self._accounts.accept_invitation(secret, chosen)
        return chosen

    async def staff(self, role: StaffRole, address: str, name: str) -> dict[str, str]:
        """Make a token and a login for one of the retailer's people. Returns both."""
        await self._accounts.invite(None, role, address, name)
        return {
            "token": await self.token(role, name),
            "email": address,
            "password": await self.password(address),
        }


async def make_credentials(settings: Settings, file: Path, mails: Path) -> Credentials:
    """Tokens and logins of the retailer's people and systems: those in `file`, or new ones that are written to it."""
    if file.exists():
        return read_credentials(file)
    database = Database(settings.database_url)
    accounts = Accounts(database, settings)
    try:
        logins = LoginMaker(accounts, mails)
        made: Credentials = {
            "shop": {"token": await logins.token("shop", "Shop")},
            "warehouse": {"token": await logins.token("warehouse", "Lager")},
            "operations": await logins.staff(
                "operations", STAFF_LOGINS["operations"], "Anna Meier"
            ),
            "accounting": await logins.staff("accounting", STAFF_LOGINS["accounting"], "Reto Kunz"),
            "partners": {},
        }
    finally:
        await accounts.close()
        await database.close()
    write_credentials(made, file)
    return made


def write_credentials(credentials: Credentials, file: Path) -> None:
    """Write the credentials to a file that only its owner can read."""
    write_private(file, json.dumps(credentials, indent=2))


def write_private(file: Path, text: str) -> None:
    """Write a file that only its owner can read."""
    write_atomically(file, text.encode())
    os.chmod(file, 0o600)


async def make_partners(settings: Settings, api: Api, file: Path, mails: Path) -> None:
    """Add the partners of `examples/partners`, each with a token and a login, unless they exist."""
    database = Database(settings.database_url)
    accounts = Accounts(database, settings)
    try:
        logins = LoginMaker(accounts, mails)
        for path in sorted((EXAMPLES / "partners").glob("*.json")):
            partner = json.loads(path.read_text(encoding="utf-8"))
            partner_id, login = partner["partner_id"], partner["email"]
            if partner_id in api.credentials["partners"]:
                continue
            await api.post("operations", "/partners", partner)
            below = f"/partners/{partner_id}"
            made = await api.post("operations", f"{below}/tokens", {"name": "sample"})
            user = {"email": login, "name": partner["name"]}
            await api.post("operations", f"{below}/users", user)
            api.credentials["partners"][partner_id] = {
                "token": made["token"],
                "email": login,
                "password": await logins.password(login),
            }
            write_credentials(api.credentials, file)
    finally:
        await accounts.close()
        await database.close()


async def make_technician(
    settings: Settings, api: Api, file: Path, mails: Path, sp_ids: Collection[str]
) -> None:
    """Add the sample technician, to whom its firm assigns these orders, unless `file` has its password.

    A start that was stopped in between is continued. Orders that the firm no longer has are left out.
    """
    firm = api.credentials["partners"][TECHNICIAN_OF]
    if "technician" in firm:
        return
    database = Database(settings.database_url)
    accounts = Accounts(database, settings)
    try:
        people = (await api.get(TECHNICIAN_OF, "/people"))["items"]
        made = next((each for each in people if each["email"] == TECHNICIAN), None)
        if made is None:
            person = {"email": TECHNICIAN, "name": "Urs Bachmann", "role": "technician"}
            made = await api.post(TECHNICIAN_OF, "/people", person)
        for sp_id in sp_ids:
            path = f"/orders/{sp_id}/assignment"
            try:
                await api.call(TECHNICIAN_OF, "PUT", path, {"user_id": made["user_id"]})
            except CallFailed as failed:
                if failed.status != httpx.codes.NOT_FOUND:
                    raise
        password = await LoginMaker(accounts, mails).password(TECHNICIAN)
    finally:
        await accounts.close()
        await database.close()
    firm["technician"] = {"email": TECHNICIAN, "password": password}
    write_credentials(api.credentials, file)


SHORT = timedelta(seconds=10)
"""A longer hold is skipped instead of waited for."""
BEYOND = timedelta(seconds=30)
"""How far a skip goes beyond the end of a hold. It must be longer than sending an order takes."""


class SampleOrder:
    """An order that is brought to the state in which the sample data show it.

    `executed_on` is the day of its execution; None: today.
    """

    def __init__(
        self,
        api: Api,
        temporal: Client,
        policy: Policy,
        order: dict[str, Any],
        executed_on: date | None = None,
    ) -> None:
        self._api = api
        self._skipper = TimeSkipper(temporal, config=TimeSkippingConfig(enabled=False))
        self._handle = temporal.get_workflow_handle(names.order_id(order["sp_id"]))
        self._hold = policy.transmission.hold.duration
        self._order = order
        self._executed_on = executed_on
        self._path = f"/orders/{order['sp_id']}"

    async def _act(self, who: str, path: str, body: dict[str, Any]) -> None:
        await self._api.post(who, f"{self._path}/{path}", body)

    async def _partner(self, path: str, body: dict[str, Any]) -> None:
        await self._act(self._order["partner_id"], path, body)

    async def _until(self, status: Status) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE):
            while True:
                seen: dict[str, Any] = await self._api.get("operations", self._path)
                if seen["status"] == status.value:
                    return seen
                await asyncio.sleep(0.1)

    async def _until_received(self) -> None:
        async with asyncio.timeout(PATIENCE):
            while True:
                seen = await self._api.get("operations", self._path)
                if any(entry["type"] == "goods_received" for entry in seen["timeline"]):
                    return
                await asyncio.sleep(0.1)

    async def reach(self, goal: Status) -> None:
        """Place the order and bring it to a state. An order that exists already is left as it is."""
        placed = await self._api.call("shop", "POST", "/orders", self._order)
        if placed.status_code == httpx.codes.CREATED:
            await self.bring_to(goal)

    async def bring_to(self, goal: Status) -> None:
        """Bring an order that was just placed to a state."""
        steps = {
            Status.IN_TRANSMISSION: self._pay,
            Status.NEW: self._be_sent,
            Status.CHECK_REQUIREMENTS: self._accept,
            Status.REQUIREMENTS_MET: self._confirm,
            Status.SET_APPOINTMENT: self._ship,
            Status.CONFIRM_EXECUTION: self._agree,
        }
        # Its appointment is tomorrow, so that the page of an order that waits for it has something to show.
        executed: dict[str, Any] = {"executed": True, "note": "", "early": True}
        if self._executed_on is not None:
            executed["executed_on"] = self._executed_on.isoformat()
        endings = {
            Status.UNDER_REVIEW: {"executed": False, "reason": "site_not_ready", "note": ""},
            Status.COMPLETED: executed,
        }
        if goal is Status.AWAITING_PAYMENT:
            return
        if goal is Status.CANCELLED:
            await self._act("shop", "cancel", {"reason": "Bestellung widerrufen"})
            return
        for status, step in steps.items():
            await step()
            if status is goal:
                return
        await self._partner("execution", endings[goal])

    async def _pay(self) -> None:
        if self._order["prepaid"]:
            await self._act("shop", "payment-received", {})
        await self._until(Status.IN_TRANSMISSION)

    async def _be_sent(self) -> None:
        # The hold of half an hour is skipped for this order only, and well beyond its end. If the skip ended while the
        # order is being sent, Temporal would skip to the next timer, days ahead.
        if self._hold is not None and self._hold > SHORT:
            await self._skipper.fast_forward(self._handle, self._hold + BEYOND)
        await self._until(Status.NEW)

    async def _accept(self) -> None:
        await self._partner("accept", {})
        await self._partner("contacts", {"outcome": "reached", "note": "Am besten vormittags."})

    async def _confirm(self) -> None:
        asked = (await self._until(Status.CHECK_REQUIREMENTS))["checklist"]
        checklist = dict.fromkeys(asked, "yes")
        await self._partner("requirements", {"met": True, "checklist": checklist})

    async def _ship(self) -> None:
        tracking = f"99.00.{self._order['sales_order_id']}"
        await self._act("warehouse", "goods-shipped", {"tracking": tracking})
        received: dict[str, Any] = {}
        if self._executed_on is not None:
            received_at = datetime.combine(self._executed_on, time(8), ZURICH)
            received["received_at"] = received_at.isoformat()
        await self._act("warehouse", "goods-received", received)
        await self._until(Status.SET_APPOINTMENT)
        await self._until_received()

    async def _agree(self) -> None:
        day = datetime.now(ZURICH).date() + timedelta(days=1)
        start, end = (datetime.combine(day, time(hour), ZURICH) for hour in (9, 11))
        # Tomorrow can be a Sunday or a holiday.
        agreed = {"start": start.isoformat(), "end": end.isoformat(), "unusual": True}
        await self._partner("appointment", agreed)


GOALS: dict[str, tuple[Status, ...]] = {
    "zuerich": (Status.NEW, Status.CHECK_REQUIREMENTS, Status.AWAITING_PAYMENT),
    "luzern": (Status.REQUIREMENTS_MET, Status.SET_APPOINTMENT, Status.CONFIRM_EXECUTION),
    "geneve": (Status.UNDER_REVIEW, Status.IN_TRANSMISSION, Status.COMPLETED),
    "ticino": (Status.NEW, Status.SET_APPOINTMENT, Status.CANCELLED),
}


ON_SITE = (Status.SET_APPOINTMENT, Status.CONFIRM_EXECUTION)
"""The states of the orders that the sample technician gets."""


def technicians_orders() -> list[str]:
    """The SP-IDs of the sample orders that its firm assigns to the technician."""
    goals = zip(read_orders("luzern"), GOALS["luzern"], strict=True)
    return [order["sp_id"] for order, goal in goals if goal in ON_SITE]


async def make_orders(api: Api, temporal: Client, policy: Policy) -> None:
    """Make the orders of `examples/orders`: at least one in every state in which an order can wait."""
    orders = [
        (SampleOrder(api, temporal, policy, order), goal)
        for place, goals in GOALS.items()
        for order, goal in zip(read_orders(place), goals, strict=True)
    ]
    await asyncio.gather(*(order.reach(goal) for order, goal in orders))


def read_orders(place: str) -> list[dict[str, Any]]:
    """The orders in a file of `examples/orders`."""
    path = EXAMPLES / "orders" / f"{place}.json"
    orders: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    return orders
