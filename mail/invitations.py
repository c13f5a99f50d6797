"""The appointments in mails about orders, for the calendar of whoever gets them (docs/mail.md, "Appointments")."""

import re
from datetime import datetime

from documents.appointment import Parties, appointment_ics, visit_ics, withdrawn_ics
from domain.orders.order import Order
from domain.orders.outgoing import Mail
from mail.smtp import CalendarPart, address
from mail.texts import one_line
from settings import Settings


class Invitations:
    """Makes the parts of mails that set, move or withdraw an appointment.

    `to_partners`: whether the settings say that partners get them.
    """

    def __init__(self, settings: Settings) -> None:
        self.to_partners = settings.appointment_mails
        self._public_url = settings.public_url
        self._organizer = address(settings.mail_from).addr_spec
        self._company = one_line(settings.company_name)

    def of(self, order: Order, recipient: str, now: datetime) -> CalendarPart | None:
        """The appointment of an order as it is now. A calendar that has it already moves it."""
        made = appointment_ics(order, now, self._public_url, self._parties(recipient))
        return CalendarPart(_file_name(order.sp_id), made, "REQUEST") if made else None

    def of_visit(
        self, order: Order, recipient: str, partner_phone: str, now: datetime
    ) -> CalendarPart | None:
        """The appointment for the customer's calendar."""
        parties = self._parties(recipient)
        made = visit_ics(order, one_line(partner_phone), now, self._public_url, parties)
        return CalendarPart(_file_name(order.sp_id), made, "REQUEST") if made else None

    def withdrawal(self, mail: Mail, recipient: str, now: datetime) -> CalendarPart | None:
        """Removes the appointment that the event of a mail cancelled; None if it cancelled none."""
        facts = mail.facts
        if facts.fallen_start is None or facts.fallen_end is None:
            return None
        made = withdrawn_ics(
            mail.sp_id,
            one_line(facts.service),
            facts.seq,
            (facts.fallen_start, facts.fallen_end),
            now,
            self._public_url,
            self._parties(recipient),
        )
        return CalendarPart(_file_name(mail.sp_id), made, "CANCEL")

    def _parties(self, recipient: str) -> Parties:
        return Parties(self._organizer, self._company, recipient)


def _file_name(sp_id: str) -> str:
    return f"{re.sub(r'[^A-Za-z0-9._-]', '_', sp_id)}.ics"
