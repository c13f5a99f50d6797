"""The effects of an order: mails and shipping requests, as they wait to be sent."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import Field

from domain.actors import Actor
from domain.fields import Money
from domain.orders.explanation import Explanation
from domain.orders.order import Status
from domain.orders.placement import Recipient
from domain.values import Language, Value

Goods = Literal["", "requested", "shipped", "received"]
Audience = Literal["partner", "operations", "sender", "customer"]
MailKind = str
"""A kind of mail. `mails.MAILS` lists them; a newer release may have stored a mail of another kind."""


class MailFacts(Value):
    """The facts that a mail may state, as they were when its event happened. Times are local to the order's calendar.

    A mail to a partner that no longer has the order names neither the customer nor the partner that has it now.

    `reason` and `code` are the codes or free texts of the event that caused the mail; `partner` is the firm that a
    mail to operations is about.

    Attributes:
        event: the type of the event that caused the mail. Mails of earlier releases lack this field and all below.
        choices: the actions that the receiver may take.
        goods: how far the current shipment has come; empty if no goods have been requested.
        deliver_to: who receives the goods.
        appointment_start, appointment_end: the appointment that stands.
        appointment_over: whether it had ended when the event happened.
        moves: how often the partner has moved it for a reason of its own.
        notify_by: the instant (not local) by which the mail about a new order must be out, for the partner's first
            deadlines to count from the transmission.
        kept_until: until when a partner keeps an order that it does not accept.
        fallen_start, fallen_end: the instants (not local) of the appointment that the event removed from the calendar.
        seq: the number of the event.
        answer_by: by when the partner is to answer a customer's wish for another day.
        fee, customer_phone, order_note: what the partner is paid (CHF, without VAT), whom it calls, and what the shop
            noted; only in mails to the partner that has the order.
    """

    sales_order_id: str
    service: str
    product: str
    quantity: int
    customer_name: str
    customer_place: str
    status: Status
    partner: str
    reason: str = ""
    note: str = ""
    decision: str = ""
    action: str = ""
    code: str = ""
    tracking: str = ""
    level: int = 0
    until: date | None = None
    event: str = ""
    choices: tuple[str, ...] = ()
    goods: Goods = ""
    deliver_to: Recipient = "customer"
    appointment_start: datetime | None = None
    appointment_end: datetime | None = None
    appointment_over: bool = False
    moves: int = 0
    notify_by: datetime | None = None
    kept_until: datetime | None = None
    fallen_start: datetime | None = None
    fallen_end: datetime | None = None
    seq: int = 0
    answer_by: datetime | None = None
    fee: Money | None = None
    customer_phone: str = ""
    order_note: str = ""
    deadline: Explanation | None = None


class Mail(Value):
    """One mail to one audience. It is sent once under its `key`."""

    type: Literal["mail"] = "mail"
    key: str
    kind: MailKind
    audience: Audience
    partner_id: str
    sender: Actor | None = None
    language: Language
    sp_id: str
    at: datetime
    facts: MailFacts

    @property
    def lane(self) -> str:
        """The queue in which it waits. Mails of one lane are sent one by one, in the order of their events."""
        return f"mail:{self.partner_id}" if self.audience == "partner" else f"mail:{self.audience}"


class ShippingRequest(Value):
    """Asks the warehouse to send the goods of a sales order. The warehouse takes each `key` once.

    `deliver_to`: who receives them. The address is the customer's; that of the partner is looked up when the request
    is sent, since it may have moved.
    """

    type: Literal["shipping_request"] = "shipping_request"
    key: str
    sp_id: str
    attempt: int
    sales_order_id: str
    sku: str
    product: str
    quantity: int
    recipient: str
    street: str
    postal_code: str
    city: str
    phone: str
    requested_at: datetime
    deliver_to: Recipient = "customer"
    partner_id: str | None = None
    sales_order_line: str | None = None

    @property
    def lane(self) -> str:
        """The queue in which it waits, with the other shipping requests of the order."""
        return "warehouse"


class ShippingStop(Value):
    """Asks the warehouse not to send goods that were requested under `request_key`."""

    type: Literal["shipping_stop"] = "shipping_stop"
    key: str
    request_key: str
    sp_id: str
    attempt: int
    sales_order_id: str
    sales_order_line: str | None = None
    at: datetime

    @property
    def lane(self) -> str:
        """The queue of the order's shipping requests: it must not overtake the one that it stops."""
        return "warehouse"


ShopNoticeKind = Literal["requirements_rejected", "cancelled"]


class ShopNotice(Value):
    """Tells the shop what happened to an order of one of its customers."""

    type: Literal["shop_notice"] = "shop_notice"
    key: str
    kind: ShopNoticeKind
    sp_id: str
    sales_order_id: str
    status: Status
    reason: str
    note: str = ""
    at: datetime

    @property
    def lane(self) -> str:
        """The queue in which it waits, with the other notices to the shop."""
        return "shop"


Effect = Annotated[Mail | ShippingRequest | ShippingStop | ShopNotice, Field(discriminator="type")]
