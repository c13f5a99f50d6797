"""Which mails the customers of orders get. By default none: an installation switches them on."""

from typing import Any

from pydantic import Field

from domain.values import Value


def _off() -> Any:
    return Field(
        default=False,
        strict=True,
        description="true or false",
        json_schema_extra={"since": 2},
    )


class CustomerMailPolicy(Value):
    """The mails that a customer gets (docs/mail.md, "Customers").

    Attributes:
        caller: who will call, when a partner has the order.
        appointment: the appointment that was set, for the customer's calendar.
        moved: the appointment that was moved.
        day_before: a reminder in the morning of the day before it.
        cancelled: the appointment is cancelled, or the order ends without having been done.
        link: these mails have a link that shows the state, and where the customer can ask for another day.
    """

    caller: bool = _off()
    appointment: bool = _off()
    moved: bool = _off()
    day_before: bool = _off()
    cancelled: bool = _off()
    link: bool = _off()

    @property
    def any(self) -> bool:
        """Whether there are any."""
        return any(value for _, value in self)
