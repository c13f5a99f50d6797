"""The names of the activities and what their failures are called: all that workflows know of them."""

from datetime import date

from domain.events import Recorded
from domain.order import Order
from domain.policy import Policy
from domain.values import Value

SEND_MAIL = "send_mail"  # (Mail) -> None
REQUEST_SHIPPING = "request_shipping"  # (ShippingRequest) -> None
SAVE_ORDER = "save_order"  # (Snapshot) -> int, the version that the records now hold or a newer one
PIN_CALENDAR = "pin_calendar"  # (CalendarWanted) -> Calendar

MAIL_GIVEN_UP = "MailGivenUp"
"""Type of the failure of a mail that its receiver has refused for days. It is not tried again."""


class Snapshot(Value):
    """An order as it is, and those of its events of which it is not sure that the records hold them."""

    order: Order
    events: tuple[Recorded, ...]


class CalendarWanted(Value):
    """Whose calendar, and from which day on, for an order that outlives the one pinned at its start."""

    canton: str
    policy: Policy
    start: date
