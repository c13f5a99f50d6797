"""The texts of mails to single people of partners, from `templates/mail/person/`."""

from collections.abc import Sequence
from typing import Literal, NamedTuple
from urllib.parse import quote

from domain.orders.placement import Placement
from mail.texts import MailText, MailTexts, Reader, Row, lines, one_line

Template = Literal["assigned", "changed", "lost", "taken", "new_order", "today"]
"""`changed`: something happened to an order that the person keeps. `lost`: the firm no longer has the order. `taken`:
the order was assigned to another person, or to nobody."""
_WITHOUT_CUSTOMER: tuple[Template, ...] = ("lost", "taken")


class PersonsOrder(NamedTuple):
    """An order in a mail to a person. `about`: facts about it, one on each line, in local time."""

    placement: Placement
    about: tuple[str, ...] = ()


class PersonTexts(MailTexts):
    """Composes the mails."""

    def compose_orders(
        self, template: Template, reader: Reader, listed: Sequence[PersonsOrder], what: str = ""
    ) -> MailText:
        """A mail about at least one order, in the order given. `what`: what happened, for `changed`."""
        first, number = listed[0].placement, len(listed)
        values = {
            "orders": number,
            "what": one_line(what),
            "place": one_line(f"{first.customer.postal_code} {first.customer.city}"),
            "service": one_line(first.service.name),
        }
        said = self._said(f"person/{template}", reader, values)
        subject = said["subject"]
        path = ""
        if number == 1:
            subject = f"{subject} · {first.sp_id}"
            path = f"orders/{quote(first.sp_id, safe='')}"
        if template in _WITHOUT_CUSTOMER:
            path = ""
        return self._laid_out(
            reader,
            subject,
            said,
            rows=[_row(each, template) for each in listed],
            link=f"{self._public_url}/{path}",
        )


def _row(listed: PersonsOrder, template: Template) -> Row:
    placement = listed.placement
    if template in _WITHOUT_CUSTOMER:
        return Row(placement.sp_id, one_line(placement.service.name))
    customer = placement.customer
    place = f"{customer.street}, {customer.postal_code} {customer.city}"
    told = (*listed.about, placement.service.name, customer.name, place, customer.phone)
    return Row(placement.sp_id, lines("\n".join(map(one_line, told))))
