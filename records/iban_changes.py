"""Changed IBANs of partners: a change is in force once a second person of operations has confirmed it.

The functions work in the transaction of their caller, which has locked the partner's row. The mails that tell the
partner are stored in the same transaction.
"""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Literal, NamedTuple, Self

from sqlalchemy import ColumnElement, Connection, select, update

from records.database import Database, storable, to_the_end
from records.tables import iban_changes, iban_mails, partners

ChangeStatus = Literal["first", "pending", "confirmed", "refused", "replaced"]
"""`first`: the partner had none before, so that it was in force at once. `replaced`: by a later change."""
MailKind = Literal["iban_first", "iban_changed", "iban_confirmed", "iban_refused"]

FORMER_ADDRESS = timedelta(days=30)
"""How long after a change of a partner's e-mail address its former address still gets these mails."""


_NAMED = "named "


class Person(NamedTuple):
    """A person of operations.

    `key` identifies the login, for a token the login that made it. `name` is shown. A token that no login made stands
    for the person that it is named after (`named`).
    """

    key: str
    name: str

    @classmethod
    def named(cls, name: str) -> Self:
        """The person that a token is named after."""
        return cls(f"{_NAMED}{name.strip().casefold()}", name)

    def is_same(self, key: str, name: str) -> bool:
        """Whether the person with this key and name is this one. Two logins may have the same name."""
        if key == self.key:
            return True
        goes_by_name = _NAMED in (key[: len(_NAMED)], self.key[: len(_NAMED)])
        return goes_by_name and name.strip().casefold() == self.name.strip().casefold()


COMMAND_LINE = Person("command line", "command line")
"""Whoever runs `starter.py`."""


class IbanChange(NamedTuple):
    """A change of a partner's IBAN by a person. An IBAN of None means that there is none."""

    change_id: str
    partner_id: str
    from_iban: str | None
    to_iban: str | None
    status: ChangeStatus
    person: str
    by: str
    at: datetime
    decided_by: str | None
    decided_at: datetime | None


class IbanMail(NamedTuple):
    """A mail about a change that is to be sent, and the change itself. The recipient is an address of the partner."""

    key: str
    kind: MailKind
    recipient: str
    asked_at: datetime
    next_attempt_at: datetime
    change: IbanChange


class SamePerson(Exception):
    """The person who changed an IBAN must not confirm it."""


class NotPending(Exception):
    """There is no such change of this partner that waits for a decision."""


_CHANGE = [iban_changes.c[name] for name in IbanChange._fields]


def compact(iban: str | None) -> str | None:
    """An IBAN without blanks, in capitals; None if there is none."""
    return "".join(iban.split()).upper() if iban else None


def set_iban(
    connection: Connection,
    partner_id: str,
    before: str | None,
    wanted: str | None,
    addresses: Iterable[str],
    by: Person,
    now: datetime,
) -> str | None:
    """Change a partner's IBAN. Returns the one that is in force afterwards.

    The first IBAN of a partner is in force at once. Any other one, and a removal, waits for a second person. The
    partner is notified at these addresses. A new change replaces one that waits; the same change again has no effect.
    """
    if compact(wanted) == compact(before):
        return wanted
    pending = connection.execute(
        select(*_CHANGE).where(_mine(partner_id), iban_changes.c.status == "pending")
    ).one_or_none()
    if pending is not None:
        if pending.to_iban == wanted:
            return before
        _decide(connection, pending.change_id, "replaced", by, now)
    had_one = before is not None or _has_history(connection, partner_id)
    status: ChangeStatus = "pending" if had_one else "first"
    change_id = _add(connection, partner_id, before, wanted, status, by, now)
    kind: MailKind = "iban_changed" if had_one else "iban_first"
    _tell(connection, change_id, kind, addresses, now)
    return before if had_one else wanted


def note_first(
    connection: Connection, partner_id: str, iban: str, by: Person, now: datetime
) -> None:
    """Begin the IBAN history of a new partner that already has an IBAN."""
    _add(connection, partner_id, None, iban, "first", by, now)


def _mine(partner_id: str) -> ColumnElement[bool]:
    return iban_changes.c.partner_id == partner_id


def _has_history(connection: Connection, partner_id: str) -> bool:
    found = select(iban_changes.c.change_id).where(_mine(partner_id)).limit(1)
    return connection.execute(found).one_or_none() is not None


def _add(
    connection: Connection,
    partner_id: str,
    before: str | None,
    wanted: str | None,
    status: ChangeStatus,
    by: Person,
    now: datetime,
) -> str:
    change_id = f"iban_{uuid.uuid4().hex[:16]}"
    connection.execute(
        iban_changes.insert().values(
            change_id=change_id,
            partner_id=partner_id,
            from_iban=before,
            to_iban=wanted,
            status=status,
            person=by.key,
            by=by.name,
            at=now,
        )
    )
    return change_id


def _decide(
    connection: Connection, change_id: str, status: ChangeStatus, by: Person, now: datetime
) -> None:
    connection.execute(
        update(iban_changes)
        .where(iban_changes.c.change_id == change_id)
        .values(status=status, decided_person=by.key, decided_by=by.name, decided_at=now)
    )


def _tell(
    connection: Connection,
    change_id: str,
    kind: MailKind,
    addresses: Iterable[str],
    now: datetime,
) -> None:
    for number, address in enumerate(dict.fromkeys(addresses), 1):
        connection.execute(
            iban_mails.insert().values(
                key=f"{kind}/{change_id}/{number}",
                change_id=change_id,
                kind=kind,
                recipient=address,
                asked_at=now,
                next_attempt_at=now,
            )
        )


class IbanChanges:
    """The changes of IBANs, and the mails about them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of(self, partner_id: str) -> tuple[IbanChange, ...]:
        """The history of a partner's IBAN, the newest change first."""
        if not storable(partner_id):
            return ()
        found = (
            select(*_CHANGE)
            .where(_mine(partner_id))
            .order_by(iban_changes.c.at.desc(), iban_changes.c.change_id.desc())
        )
        async with self._database.reading() as connection:
            return tuple(IbanChange(*row) for row in await connection.execute(found))

    async def pending(self) -> dict[str, IbanChange]:
        """All changes that wait for a second person, by the id of the partner."""
        found = select(*_CHANGE).where(iban_changes.c.status == "pending")
        async with self._database.reading() as connection:
            changes = [IbanChange(*row) for row in await connection.execute(found)]
        return {change.partner_id: change for change in changes}

    @to_the_end
    async def decide(
        self, partner_id: str, change_id: str, *, confirm: bool, by: Person, now: datetime
    ) -> None:
        """Confirm a change, so that it is in force, or refuse it. The same decision again changes nothing.

        The partner is notified at the addresses that were notified of the change, and at its present one.

        Raises:
            NotPending: there is no such change of this partner, or something else was decided about it.
            SamePerson: the person who changed it wants to confirm it.
        """
        if not (storable(partner_id) and storable(change_id)):
            raise NotPending(change_id)
        status: ChangeStatus = "confirmed" if confirm else "refused"
        lock = select(partners.c.email).where(partners.c.partner_id == partner_id).with_for_update()
        found = select(iban_changes).where(_mine(partner_id), iban_changes.c.change_id == change_id)
        told = select(iban_mails.c.recipient).where(iban_mails.c.change_id == change_id)

        def decide(connection: Connection) -> None:
            address = connection.execute(lock).scalar_one_or_none()
            change = connection.execute(found).one_or_none()
            if address is None or change is None:
                raise NotPending(change_id)
            if change.status == status and by.is_same(change.decided_person, change.decided_by):
                return
            if change.status != "pending":
                raise NotPending(change_id)
            if confirm and by.is_same(change.person, change.by):
                raise SamePerson(change_id)
            addresses = [*connection.execute(told).scalars(), address]
            _decide(connection, change_id, status, by, now)
            if confirm:
                connection.execute(
                    update(partners)
                    .where(partners.c.partner_id == partner_id)
                    .values(iban=change.to_iban, changed_at=now)
                )
            kind: MailKind = "iban_confirmed" if confirm else "iban_refused"
            _tell(connection, change_id, kind, addresses, now)

        await self._database.write(decide)

    # --- mails -------------------------------------------------------------------------------------------------------

    async def due_mails(self, now: datetime, limit: int) -> tuple[IbanMail, ...]:
        """Mails whose next attempt is due, in the order in which they were caused."""
        mail = [iban_mails.c[name] for name in IbanMail._fields if name != "change"]
        found = (
            select(*mail, *_CHANGE)
            .join(iban_changes, iban_changes.c.change_id == iban_mails.c.change_id)
            .where(iban_mails.c.next_attempt_at <= now)
            .order_by(iban_mails.c.asked_at, iban_mails.c.key)
            .limit(limit)
        )
        rows = await self._database.read(lambda connection: connection.execute(found).all())
        return tuple(
            IbanMail(key, kind, recipient, asked_at, next_attempt_at, IbanChange(*change))
            for key, kind, recipient, asked_at, next_attempt_at, *change in rows
        )

    async def try_next(self, mail: IbanMail, at: datetime | None) -> bool:
        """Set when a mail is tried next; None: never. False if another process has done so meanwhile."""
        changed = (
            update(iban_mails)
            .where(
                iban_mails.c.key == mail.key, iban_mails.c.next_attempt_at == mail.next_attempt_at
            )
            .values(next_attempt_at=at)
        )
        return await self._database.write(
            lambda connection: connection.execute(changed).rowcount == 1
        )
