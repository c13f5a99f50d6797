"""Firms with completed orders, each a partner of its own: a settlement is there once for a partner and a month."""

import asyncio
import itertools
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import httpx
from sqlalchemy import select

from records.tables import settlements
from tests.support.needs import require
from tests.web.begun import begun, begun_settlement, completed_steps
from tests.web.site import API, PATH, Site

_numbers = itertools.count(1)
_CENTIME = Decimal("0.01")
VAT = Decimal("8.1")


class Firm:
    """A partner, its software, and what it does about its settlements."""

    def __init__(self, cmi: Site, partner_id: str, http: httpx.AsyncClient) -> None:
        self.cmi = cmi
        self.partner_id = partner_id
        self.http = http

    async def completed(self, *fees: str) -> list[str]:
        """The SP-IDs of orders with these fees, each with a workflow that begins with the completed order."""
        return list(await asyncio.gather(*(self._completed(fee) for fee in fees)))

    async def _completed(self, fee: str) -> str:
        return await begun(self.cmi, *completed_steps(), partner_id=self.partner_id, fee=fee)

    async def completed_by_calls(self, *fees: str) -> list[str]:
        """The SP-IDs of orders with these fees, each placed and brought up to its execution by calls."""
        return list(await asyncio.gather(*(self._completed_by_calls(fee) for fee in fees)))

    async def _completed_by_calls(self, fee: str) -> str:
        sp_id = await self.cmi.new(partner_id=self.partner_id, fee=fee)
        for call, body, reached in PATH:
            caller = self.cmi.warehouse if call.startswith("goods") else self.http
            await self.cmi.do(caller, sp_id, call, body() if callable(body) else body)
            await self.cmi.reaches(sp_id, reached)
        return sp_id

    async def settle(self, sp_ids: Sequence[str], **headers: str) -> httpx.Response:
        """`POST /settlements`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(
            f"{API}/settlements", json={"sp_ids": list(sp_ids)}, headers=named
        )

    async def opened(self, sp_ids: Sequence[str]) -> dict[str, Any]:
        """A settlement that must come to be."""
        answer = await self.settle(sp_ids)
        assert answer.status_code == 201, answer.text
        return answer.json()

    async def issued(self, sp_ids: Sequence[str]) -> dict[str, Any]:
        """A settlement whose statement is there."""
        opened = await self.opened(sp_ids)
        return await self.reaches(opened["settlement_id"], "issued")

    async def begun_issued(self, *fees: str) -> dict[str, Any]:
        """A settlement that begins with its statement (tests/web/begun.py). Skips the test if Pango is missing."""
        require("pango")
        number = await begun_settlement(self.cmi, self.partner_id, *fees)
        return (await self.http.get(f"{API}/settlements/{number}")).json()

    async def reaches(self, settlement_id: str, status: str) -> dict[str, Any]:
        """The settlement, once it is in this state. Skips the test if that takes a statement, and Pango is missing."""
        if status in ("issued", "invoiced"):
            require("pango")
        which = settlements.c.settlement_id == settlement_id
        await self.cmi.is_recorded(
            select(settlements.c.version).where(which, settlements.c.status == status)
        )
        return (await self.http.get(f"{API}/settlements/{settlement_id}")).json()

    async def post(self, settlement_id: str, call: str, body: Any = None) -> httpx.Response:
        """A call about a settlement."""
        path = f"{API}/settlements/{settlement_id}/{call}"
        return await self.http.post(path, json={} if body is None else body)

    async def upload(
        self, settlement_id: str, content: bytes, name: str = "rechnung.pdf", field: str = "file"
    ) -> httpx.Response:
        """An invoice is uploaded."""
        return await self.http.post(
            f"{API}/settlements/{settlement_id}/invoice",
            files={field: (name, content, "application/pdf")},
        )


def sums(fees: Sequence[str]) -> dict[str, str]:
    """What these fees of a firm with VAT add up to, reckoned here: VAT is rounded once, on the sum."""
    net = sum(map(Decimal, fees), Decimal("0.00"))
    vat = (net * VAT / 100).quantize(_CENTIME, ROUND_HALF_UP)
    return {"net": str(net), "vat": str(vat), "total": str(net + vat)}


async def firm(cmi: Site, *, liable: bool = True, language: str = "de") -> Firm:
    """A new partner in Zürich with a token."""
    partner_id = f"firma-{next(_numbers)}"
    partner = {
        "partner_id": partner_id,
        "name": f"Montagen Müller & Söhne {partner_id}",
        "canton": "ZH",
        "language": language,
        "email": f"{partner_id}@partner.example",
        "phone": "+41 44 555 01 10",
        "street": "Hohlstrasse 100",
        "postal_code": "8004",
        "city": "Zürich",
        "vat_number": "CHE-109.322.551 MWST" if liable else None,
        "iban": "CH9300762011623852957",
    }
    made = await cmi.operations.post(f"{API}/partners", json=partner)
    assert made.status_code == 201, made.text
    _, cmi.tokens[partner_id] = await cmi.app.state.accounts.tokens.make(
        "partner", "software", partner_id
    )
    return Firm(cmi, partner_id, cmi.caller(partner_id))
