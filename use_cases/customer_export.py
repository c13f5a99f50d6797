"""Exports everything that is stored about a customer who asks for it (docs/data-protection.md, "Access")."""

import base64
import json
import logging
from collections.abc import Collection
from typing import Any

from pydantic import model_validator

from domain.fields import EmailAddress, TextLine
from domain.orders.erasure import is_erased
from domain.values import Input
from records.corrections import Corrections
from records.customer_links import CustomerLinks
from records.erasures import Erasures
from records.messages import Messages
from records.on_site import Photos, Protocols
from use_cases import access
from use_cases.orders import OrderUseCases
from use_cases.principal import Principal
from use_cases.security_events import note

logger = logging.getLogger("cmi.erasure")


class CustomerQuery(Input):
    """The customer to export: that of an order, or the one with this e-mail address and this name or telephone."""

    sp_id: TextLine | None = None
    email: EmailAddress | None = None
    name: TextLine | None = None
    phone: TextLine | None = None

    @model_validator(mode="after")
    def _check(self) -> "CustomerQuery":
        by_person = self.email is not None and (self.name or self.phone)
        if self.sp_id is None and not by_person:
            raise ValueError("expected sp_id, or email with name or phone")
        return self


class CustomerExports:
    """Exports of customers' data, each of which is recorded."""

    def __init__(
        self,
        erasures: Erasures,
        orders: OrderUseCases,
        corrections: Corrections,
        messages: Messages,
        links: CustomerLinks,
        photos: Photos,
        protocols: Protocols,
    ) -> None:
        self._photos = photos
        self._protocols = protocols
        self._erasures = erasures
        self._corrections = corrections
        self._orders = orders
        self._messages = messages
        self._links = links

    async def export(self, principal: Principal, query: CustomerQuery) -> dict[str, Any]:
        """All orders of the customer with everything stored about them, as JSON. Erased orders hold no such data.

        Raises:
            Forbidden: not for this role.
            UnknownOrder: there is no such order.
        """
        access.check(principal, "export")
        email, name, phone = query.email or "", query.name or "", query.phone or ""
        sp_ids: Collection[str] = ()
        if query.sp_id is not None:
            found = await self._orders.find(principal, query.sp_id)
            customer = found.order.intake.placement.customer
            email, name, phone = customer.email, customer.name, customer.phone
            sp_ids = (query.sp_id,)
            if not is_erased(found.order):
                sp_ids = await self._erasures.of_customer(email, name, phone)
        else:
            sp_ids = await self._erasures.of_customer(email, name, phone)
        exported = [await self._order(principal, sp_id) for sp_id in sp_ids]
        by, now = f"{principal.role}:{principal.name}", self._orders.now
        export_id = await self._erasures.record_export(sp_ids, by, now)
        note("export", "succeeded", principal.login_id, query.sp_id or export_id)
        logger.info("exported", extra={"orders": len(exported), "login": principal.login_id})
        return {"exported_at": now.isoformat(), "orders": exported}

    async def _order(self, principal: Principal, sp_id: str) -> dict[str, Any]:
        order, events = await self._orders.find(principal, sp_id)
        technical = {"policy", "calendar", "customer_holidays"}
        whole = order.model_dump(mode="json", exclude={"calendar", "later_policy", "digest"})
        whole["intake"] = {k: v for k, v in whole["intake"].items() if k not in technical}
        history = [
            {
                "at": each.at.isoformat(),
                "by": each.author,
                "event": each.event.model_dump(mode="json", exclude={"calendar", "policy"}),
            }
            for each in events
        ]
        written = [
            {"at": each.at.isoformat(), "by": each.by, "reason": each.line.reason}
            for each in await self._corrections.about(sp_id)
        ]
        messages = [
            {
                "at": each.at.isoformat(),
                "by": each.side,
                "author": each.author,
                "internal": each.internal,
                "text": each.text,
            }
            for each in await self._messages.all(sp_id)
        ]
        wish = await self._links.wish(sp_id)
        return {
            "order": whole,
            "history": history,
            "corrections": written,
            "messages": messages,
            "wish": wish.model_dump(mode="json") if wish is not None else None,
            "photos": await self._pictures(sp_id),
            "protocols": [
                {
                    **each.version.model_dump(mode="json", exclude={"login_id"}),
                    "sha256": each.sha256,
                }
                for each in await self._protocols.of(sp_id, None)
            ],
        }

    async def _pictures(self, sp_id: str) -> list[dict[str, Any]]:
        """The photos of an order and pictures of signatures; `jpeg` in base64."""
        exported = []
        for photo in await self._photos.of(sp_id, None):
            found = await self._photos.content(sp_id, photo.photo_id)
            if found is not None:
                about = {
                    "photo_id": photo.photo_id,
                    "kind": photo.kind,
                    "at": photo.at.isoformat(),
                    "author": photo.author,
                    "sha256": photo.sha256,
                }
                exported.append(about | {"jpeg": base64.b64encode(found[1]).decode()})
        return exported


def as_file(exported: dict[str, Any]) -> bytes:
    """The export as a JSON file that people can read."""
    return json.dumps(exported, ensure_ascii=False, indent=2).encode() + b"\n"
