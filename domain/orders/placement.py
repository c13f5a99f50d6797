"""How an order is placed: by whom, for whom, what is to be done, and what is pinned into it."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from domain.calendar import Calendar
from domain.fields import EmailAddress, Identifier, Money, Note, TextLine
from domain.policy import Policy
from domain.values import Language, Value


class Customer(Value):
    """The customer whom the partner visits. Personal data: never in summaries, search attributes, ids or logs."""

    name: TextLine
    email: EmailAddress
    phone: TextLine
    street: TextLine
    postal_code: Annotated[TextLine, StringConstraints(max_length=12)]
    city: TextLine
    language: Language


class Product(Value):
    """What was sold and is to be installed."""

    sku: TextLine
    name: TextLine
    quantity: Annotated[int, Field(ge=1, le=999)]


class Service(Value):
    """What the partner does, and for how much (CHF, without VAT)."""

    code: Identifier
    name: TextLine
    fee: Money


Recipient = Literal["partner", "customer"]


class Placement(Value):
    """A service order as the shop places it: the body of `POST /orders`.

    `deliver_to`: who receives the goods; the partner brings those that it receives (from version 2 of the rules on;
    before, the goods went to the customer). `sales_order_line`: the line of the sales order that the service belongs
    to; the goods of a line are shipped once, for all its services.
    """

    sp_id: Identifier
    sales_order_id: TextLine
    partner_id: Identifier
    prepaid: bool = False
    customer: Customer
    product: Product
    service: Service
    note: Note = ""
    deliver_to: Recipient = "partner"
    sales_order_line: TextLine | None = Field(None, examples=[None, "1"])


class Assignee(Value):
    """What an order keeps of its partner. Mail addresses are looked up when a mail is sent."""

    partner_id: Identifier
    name: TextLine
    canton: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
    language: Language


class Intake(Value):
    """Everything that an order starts with: the placement, and what is pinned into it.

    `rules` is the version of the rules that it is placed under (domain/rules.py). `customer_canton` is that of the
    customer's postal code, and `customer_holidays` its public holidays; None and empty if the canton is not known, and
    in orders under version 1.
    """

    placement: Placement
    partner: Assignee
    policy: Policy
    calendar: Calendar
    rules: int = 1
    customer_canton: str | None = None
    customer_holidays: tuple[date, ...] = ()
