"""The texts of mails about messages, from `templates/mail/message/<audience>.txt`."""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import quote

import words
from domain.orders.messages import Message, Side
from domain.orders.order import Order
from mail.texts import ROWS, MailText, MailTexts, Reader, lines, one_line
from words.order_view import zoned
from words.translations import mark, say

_ANSWER_BY = mark("Antwort bis")


class MessageTexts(MailTexts):
    """Composes the mails that tell one side what the other side wrote."""

    def compose(
        self,
        audience: Side,
        reader: Reader,
        order: Order,
        messages: Sequence[Message],
        *,
        replies: bool,
        phone: str = "",
        due: datetime | None = None,
    ) -> MailText:
        """The mail for one reader.

        Args:
            replies: whether a reply to the mail reaches the writer; else the mail says to answer on the page.
            phone: the partner's telephone number, for operations.
            due: until when operations are to answer.
        """
        language, calendar = reader.language, order.calendar
        placement = order.intake.placement
        values = {
            "number": len(messages),
            "replies": replies,
            "partner": one_line(order.partner.name),
        }
        said = self._said(f"message/{audience}", reader, values)
        rows = [
            (
                f"{one_line(each.author)}, {words.format_instant(zoned(calendar, each.at), language)}",
                lines(each.text),
            )
            for each in messages
        ]
        customer = placement.customer
        place = f"{customer.postal_code} {customer.city}"
        staff = audience == "operations"
        facts = {
            ROWS["sp_id"]: order.sp_id,
            ROWS["partner"]: order.partner.name if staff else "",
            ROWS["phone"]: phone,
            ROWS["customer"]: f"{customer.name}, {place}",
            ROWS["service"]: placement.service.name,
            _ANSWER_BY: words.format_instant(zoned(calendar, due), language) if due else "",
        }
        rows += [(say(language, label), one_line(text)) for label, text in facts.items() if text]
        automatic = say(language, "Diese Nachricht wurde vom CMI automatisch verschickt.")
        return self._laid_out(
            reader,
            f"{order.sp_id}: {said['subject']}",
            said,
            rows=rows,
            link=f"{self._public_url}/orders/{quote(order.sp_id, safe='')}#messages",
            **({} if replies else {"footer": automatic}),
        )
