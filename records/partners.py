"""The service partners: who they are and where they are reached."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, StringConstraints
from sqlalchemy import Connection, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.fields import EmailAddress, Identifier, TextLine
from domain.orders.placement import Assignee
from domain.policy import CANTONS
from domain.values import Language, Value
from records.account_notices import Recipient, tell
from records.database import Database, to_the_end
from records.endings import end_access
from records.iban_changes import COMMAND_LINE, FORMER_ADDRESS, Person, note_first, set_iban
from records.search import normalized
from records.tables import partners


def _known_canton(canton: str) -> str:
    if canton not in CANTONS:
        raise ValueError(f"must be one of {', '.join(CANTONS)}")
    return canton


PartnerStatus = Literal["active", "paused", "ended"]
"""`paused`: gets no new orders. `ended`: gets none either, and its logins and tokens have ended."""
STATUSES: tuple[PartnerStatus, ...] = get_args(PartnerStatus)
_KEPT = ("status", "policy")


class Partner(Value):
    """A service partner (docs/contract.md, "Partners, logins and tokens").

    `iban` is the one in force (records/iban_changes.py). `vat_liable_from`: the first day of services with VAT; None: a
    partner with a VAT number charges it always. Stored numbers may be invalid: only new ones are checked.
    """

    partner_id: Identifier
    name: TextLine
    canton: Annotated[str, AfterValidator(_known_canton)]
    language: Language
    email: EmailAddress
    phone: TextLine
    street: TextLine
    postal_code: Annotated[TextLine, StringConstraints(max_length=12)]
    city: TextLine
    vat_number: TextLine | None = None
    iban: TextLine | None = None
    escalation_email: EmailAddress | None = None
    vat_liable_from: date | None = None
    status: PartnerStatus = "active"
    policy: Identifier | None = None
    """The name of its own policy (docs/contract.md, "The policy file"); None: the standard one."""


_COLUMNS = [partners.c[name] for name in Partner.model_fields]
_FORMER = [partners.c.former_email, partners.c.email_changed_at]


class Partners:
    """The partners by their id."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        row = insert(partners)
        self._add = row.on_conflict_do_nothing(index_elements=[partners.c.partner_id])

    async def get(self, partner_id: str) -> Partner | None:
        """A partner; None if it does not exist."""
        if "\0" in partner_id:
            return None
        found = select(*_COLUMNS).where(partners.c.partner_id == partner_id)
        row = await self._database.read(lambda c: c.execute(found).one_or_none())
        return None if row is None else _partner(row)

    @to_the_end
    async def add(self, partner: Partner, now: datetime, by: Person = COMMAND_LINE) -> bool:
        """Store a new partner. False if its id is taken; the existing one is not changed. `by`: who adds it."""
        row = {**partner.model_dump(), "created_at": now, "changed_at": now}
        async with self._database.writing() as connection:
            is_new = (await connection.execute(self._add, row)).rowcount == 1
            if is_new and partner.iban is not None:
                await connection.run_sync(note_first, partner.partner_id, partner.iban, by, now)
            return is_new

    @to_the_end
    async def change(
        self,
        partner_id: str,
        changes: Mapping[str, Any],
        now: datetime,
        by: Person = COMMAND_LINE,
    ) -> Partner | None:
        """Change these fields and no others. None if there is no such partner.

        A changed IBAN is not in force before a second person has confirmed it. `by`: who changes it. Of a changed
        e-mail address both the former and the new address are notified.

        If the partner ends, its sessions, links and tokens end in the same transaction. They end again when it becomes
        active again: what was made while it was ending must not work then.

        Raises pydantic's `ValidationError` if the changed partner is invalid.
        """
        if "\0" in partner_id:
            return None
        which = partners.c.partner_id == partner_id
        async with self._database.writing() as connection:
            row = (
                await connection.execute(select(*_COLUMNS, *_FORMER).where(which).with_for_update())
            ).one_or_none()
            if row is None:
                return None
            *stored, former_email, email_changed_at = row
            before = dict(zip(Partner.model_fields, stored, strict=True))
            changed = Partner.model_validate({**before, **changes})
            # A recently replaced address is still notified of a changed IBAN.
            is_recent = email_changed_at is not None and now - email_changed_at < FORMER_ADDRESS
            told = [before["email"], *([former_email] if is_recent else [])]
            if "iban" in changes:
                iban = await connection.run_sync(
                    set_iban, partner_id, before["iban"], changed.iban, told, by, now
                )
                changed = changed.model_copy(update={"iban": iban})
            await connection.run_sync(_tell_of_addresses, before, changed, now)
            # the id stays, even if it is among the changes
            values = {**changed.model_dump(exclude={"partner_id"}), "changed_at": now}
            if changed.email != before["email"] and not is_recent:
                values |= {"former_email": before["email"], "email_changed_at": now}
            await connection.execute(update(partners).where(which).values(values))
            if "ended" in (row.status, changed.status) and row.status != changed.status:
                await connection.run_sync(end_access, partner_id, now)
        return changed.model_copy(update={"partner_id": partner_id})

    @to_the_end
    async def put(self, partner: Partner, now: datetime) -> None:
        """Store a partner, new or changed. An existing one changes as with `change`, but its status and policy stay
        unless they are given, and its IBAN is not removed.
        """
        if not await self.add(partner, now):
            without = {name for name in _KEPT if name not in partner.model_fields_set}
            if partner.iban is None:
                without.add("iban")
            await self.change(partner.partner_id, partner.model_dump(exclude=without), now)

    async def list(self, status: PartnerStatus | None = None) -> tuple[Partner, ...]:
        """All partners, or those with this status, by their id."""
        found = select(*_COLUMNS).order_by(partners.c.partner_id)
        if status is not None:
            found = found.where(partners.c.status == status)
        async with self._database.reading() as connection:
            return tuple(_partner(row) for row in await connection.execute(found))

    async def search(
        self, q: str, limit: int, after: str | None = None, status: PartnerStatus | None = None
    ) -> tuple[tuple[Partner, ...], int]:
        """At most `limit` partners after `after` whose id, name, place or e-mail contains a text; and how many match.

        `status` leaves out those that have another one.

        The search ignores case in every alphabet. The two databases cannot both do that, so it is done here on narrow
        rows of all partners.
        """
        looked_at = ("partner_id", "name", "postal_code", "city", "email")
        narrow = select(*(partners.c[name] for name in looked_at)).order_by(partners.c.partner_id)
        if status is not None:
            narrow = narrow.where(partners.c.status == status)
        words = normalized(q).split()
        async with self._database.reading() as connection:
            rows = (await connection.execute(narrow)).all()
            texts = ((row[0], normalized("\n".join(row))) for row in rows)
            matching = [key for key, text in texts if all(word in text for word in words)]
            shown = [each for each in matching if after is None or each > after][:limit]
            found = (
                select(*_COLUMNS)
                .where(partners.c.partner_id.in_(shown))
                .order_by(partners.c.partner_id)
            )
            listed = tuple(_partner(row) for row in await connection.execute(found))
        return listed, len(matching)

    @staticmethod
    def assignee(partner: Partner) -> Assignee:
        """The part of a partner that is pinned into its orders."""
        return Assignee(
            partner_id=partner.partner_id,
            name=partner.name,
            canton=partner.canton,
            language=partner.language,
        )


def _partner(row: Any) -> Partner:
    return Partner.model_validate(row._asdict())


def _tell_of_addresses(
    connection: Connection, before: Mapping[str, Any], changed: Partner, now: datetime
) -> None:
    """Notify the partner of a changed address, at the former one and at the new one."""
    for field in ("email", "escalation_email"):
        is_escalation = field == "escalation_email"
        old, new = before[field], getattr(changed, field)
        if old == new:
            continue
        told = [old, new, before["email"] if is_escalation else None]
        recipients = [
            Recipient("partner", address, changed.name, changed.language, staff=False)
            for address in dict.fromkeys(filter(None, told))
        ]
        facts = {"before": old, "after": new, "is_escalation": is_escalation}
        tell(connection, "email_changed", before["partner_id"], recipients, facts, now)
