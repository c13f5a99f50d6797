"""Takes orders and a settlement through the running project by its HTTP interface, from the first login on."""

import asyncio
import json
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx
import pyotp
from temporalio.client import Client

from development.api_client import Api, Credentials
from development.compose_check.project import HOST, Project, check
from development.sample_data import EXAMPLES, ZURICH, SampleOrder, read_orders
from domain.orders.order import Status
from domain.policy import Policy

WEB = "http://127.0.0.1:8000"
ADMIN = "leitung@haendler.ch"
PARTNER = "elektro-huber"
FACTOR = "/account/second-factor"
PROXIED = {"X-Forwarded-For": "203.0.113.7", "X-Forwarded-Proto": "https"}
"""What the https proxy in front of the web application says of the caller."""
SYSTEMS = ("shop", "warehouse", "operations", "accounting")
STEPS = (
    "transmitted",
    "accepted",
    "requirements_confirmed",
    "goods_received",
    "execution_confirmed",
)
PATIENCE = 120.0


class Person:
    """A person's browser behind the https proxy: keeps cookies, although this connection is not https itself."""

    def __init__(self) -> None:
        self._http = httpx.Client(base_url=WEB, timeout=60)
        self._cookies: dict[str, str] = {}

    def send(self, page: str, fields: dict[str, str], to: str = "") -> httpx.Response:
        """Open a page of ours and send its form, to another path if one is named."""
        self._call("GET", page)
        form = {**fields, "form_token": self._cookies["__Host-cmi_form"]}
        return self._call("POST", to or page, form)

    def set_up_factor(self) -> None:
        """Set up a second factor, which a person of the staff needs before it makes a token."""
        self.send("/account", {}, to=FACTOR)
        page = self._call("GET", FACTOR).text
        (secret,) = re.findall(r'<code class="secret">([A-Z2-7 ]+)</code>', page)
        code = pyotp.TOTP(secret.replace(" ", "")).now()
        self.send(FACTOR, {"code": code}, to=f"{FACTOR}/confirm")

    def _call(self, method: str, path: str, form: dict[str, str] | None = None) -> httpx.Response:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        headers = {**PROXIED, "Sec-Fetch-Site": "same-origin", "Cookie": cookies}
        answer = self._http.request(method, path, data=form, headers=headers)
        said = f"{method} {path}: {answer.status_code} {answer.text[-400:]}"
        check(answer.status_code < 400, said)
        for line in answer.headers.get_list("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self._cookies[name] = value
        return answer


def first_logins(project: Project) -> Credentials:
    """The first start of an installation: schedules, the first login of operations, a token for each system."""
    project.compose("exec", "-T", "worker", "python", "starter.py", "schedules")
    said = project.compose("exec", "-T", "web", "python", "starter.py", "admin", "--email", ADMIN)
    (link,) = re.findall(r"/invitation/\S+", said)
    password = secrets.token_urlsafe(16)
    person = Person()
    person.send(link, {"password": password, "again": password})
    person.send("/login", {"email": ADMIN, "password": password})
    person.set_up_factor()
    credentials: Credentials = {"partners": {}}
    for role in SYSTEMS:
        fields = {"name": f"check {role}", "role": role, "expires_at": ""}
        fields["request_id"] = secrets.token_urlsafe(16)
        page = person.send("/staff/users", fields, to="/staff/tokens")
        (token,) = re.findall(r'id="token">([^<]+)<', page.text)
        credentials[role] = {"token": token}
    return credentials


@dataclass
class Life:
    """The API and the project with which orders are taken through their life."""

    project: Project
    api: Api
    namespace: str

    async def add_partners(self) -> None:
        """Operations add the partners of `examples/`, each with a token."""
        for path in sorted((EXAMPLES / "partners").glob("*.json")):
            partner = json.loads(path.read_text(encoding="utf-8"))
            await self.api.post("operations", "/partners", partner)
            below = f"/partners/{partner['partner_id']}/tokens"
            token = await self.api.post("operations", below, {"name": "check"})
            self.api.credentials["partners"][partner["partner_id"]] = token

    async def live(self, orders: list[dict[str, Any]]) -> None:
        """Take orders from placing to execution, concurrently. The hold of half an hour is skipped."""
        address = self.project.container("temporal").addresses["temporal"]
        temporal = await Client.connect(f"{address}:7233", namespace=self.namespace)
        await asyncio.gather(
            *(
                SampleOrder(self.api, temporal, Policy(), order).reach(Status.COMPLETED)
                for order in orders
            )
        )

    async def settle(self, sp_ids: list[str]) -> str:
        """The partner bills these orders, its invoice is made and handed in, accounting approves and pays it."""
        opened = await self.api.post(PARTNER, "/settlements", {"sp_ids": sp_ids})
        path = f"/settlements/{opened['settlement_id']}"
        seen = await self._until(path, lambda seen: seen["status"] == "issued")
        check(len(seen["orders"]) == len(sp_ids), f"{path} has {seen['orders']}")
        for paper, begin in (("statement.pdf", b"%PDF"), ("statement.csv", b"")):
            content = (await self.api.call(PARTNER, "GET", f"{path}/{paper}")).content
            check(
                content.startswith(begin) and len(content) > 100,
                f"{path}/{paper}: {content[:80]!r}",
            )
        today = f"{datetime.now(ZURICH):%Y-%m-%d}"
        invoice = {"invoice_number": "R-1", "invoice_date": today}
        verdict = await self.api.post(PARTNER, f"{path}/make-invoice", invoice)
        check(verdict["accepted"], f"the invoice that was made is not right: {verdict}")
        await self._until(path, lambda seen: seen["status"] == "invoiced")
        await self.api.post("accounting", f"{path}/approve", {})
        paid = await self.api.post("accounting", f"{path}/paid", {"paid_on": today})
        check(paid["status"] == "paid", f"{path} is {paid['status']}")
        return f"{opened['settlement_id']}: {len(sp_ids)} orders, CHF {seen['total']}, paid"

    async def _until(self, path: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE
        while True:
            seen: dict[str, Any] = await self.api.get(PARTNER, path)
            if holds(seen):
                return seen
            check(time.monotonic() < end, f"{path} stays {seen['status']}")
            await asyncio.sleep(0.2)

    async def check_lived(self, orders: list[dict[str, Any]]) -> None:
        """Wait until each of these orders is executed, and check that its timeline has each step exactly once."""
        for path in (f"/orders/{order['sp_id']}" for order in orders):
            seen = await self._until(path, lambda seen: seen["status"] in ("completed", "billed"))
            steps = [entry["type"] for entry in seen["timeline"]]
            for step in STEPS:
                check(steps.count(step) == 1, f"{path}: {step} is not exactly once in {steps}")


def some_orders(count: int, first: int) -> list[dict[str, Any]]:
    """`count` new orders of one partner, numbered from `first` on, made from those of `examples/`."""
    like = read_orders("zuerich")
    return [
        like[number % len(like)]
        | {"sp_id": f"SP-{first + number}", "sales_order_id": f"4{first + number}"}
        for number in range(count)
    ]


def status_of(path: str) -> int:
    """The status of the answer to a GET; 0 if there is none."""
    try:
        return httpx.get(f"{WEB}{path}", timeout=10, headers=PROXIED).status_code
    except httpx.HTTPError:
        return 0


def mails(where: str = HOST) -> list[dict[str, Any]]:
    """All mails that the mail catcher has."""
    answer = httpx.get(f"http://{where}:8025/api/v1/messages", timeout=10).json()
    kept: list[dict[str, Any]] = answer["messages"]
    return kept
