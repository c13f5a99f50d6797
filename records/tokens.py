"""Tokens of partners' software and of the retailer's systems. Only hashes are stored."""

from datetime import datetime, timedelta
from typing import Annotated, Literal

from sqlalchemy import Connection, and_, bindparam, case, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.people import PartnerRole
from domain.values import OPEN, Value
from records.account_notices import TOKENS, Recipient, tell
from records.database import Database, storable, to_the_end
from records.endings import has_not_ended
from records.tables import partners, tokens, users

TokenRole = Literal["partner", "operations", "shop", "warehouse", "accounting"]
EndedBecause = Annotated[Literal["maker_left", "partner_ended"], OPEN]

TOLD_BEFORE = timedelta(days=14)
"""How long before the end of a token operations are notified."""


class MakerGone(Exception):
    """The login that is making a token was removed a moment ago."""


class Token(Value):
    """The data about a token, without the token itself.

    `made_by`: the login of the person who made it, if one did. `maker`: the name of that login, while it exists.
    `maker_role`: its role, if it belongs to the token's partner. `ended_because`: why it ended, if it was neither
    revoked nor expired.
    """

    token_id: str
    role: TokenRole
    partner_id: str | None
    name: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    made_by: str | None = None
    maker: str | None = None
    maker_role: PartnerRole | None = None
    ended_because: EndedBecause | None = None


_COLUMNS = [tokens.c[name] for name in Token.model_fields if not name.startswith("maker")]
_MAKER = users.c.name.label("maker")
_MAKER_ROLE = case(
    (users.c.partner_id == tokens.c.partner_id, func.coalesce(users.c.partner_role, "office"))
).label("maker_role")
# Each call of the API reads this. To build the statement takes longer than the database.
_FIND = (
    select(*_COLUMNS, _MAKER, _MAKER_ROLE)
    .outerjoin(users, users.c.user_id == tokens.c.made_by)
    .where(
        tokens.c.token_hash == bindparam("token_hash"),
        tokens.c.revoked_at.is_(None),
        has_not_ended(tokens.c.partner_id),
        tokens.c.expires_at.is_(None) | (tokens.c.expires_at > bindparam("now")),
    )
)


class Tokens:
    """The tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._add = insert(tokens).on_conflict_do_nothing(index_elements=[tokens.c.token_id])

    async def add(self, token: Token, token_hash: str) -> bool:
        """Store a new token. False if its id is taken; the existing one is not changed.

        Raises:
            MakerGone: the login that makes it was removed meanwhile, which would have ended this token as well.
        """
        row = {**token.model_dump(exclude={"maker", "maker_role"}), "token_hash": token_hash}
        maker = select(users.c.user_id).where(users.c.user_id == token.made_by)

        def add(connection: Connection) -> bool:
            if token.made_by is not None:  # lock the login until the token is stored
                there = connection.execute(maker.with_for_update(read=True, key_share=True))
                if there.one_or_none() is None:
                    raise MakerGone(token.made_by)
            return connection.execute(self._add, row).rowcount == 1

        return await self._database.write(add)

    async def find(self, token_hash: str, now: datetime) -> Token | None:
        """The token with this hash, if it is neither expired nor revoked, and its partner has not ended."""
        values = {"token_hash": token_hash, "now": now}
        row = await self._database.read(lambda c: c.execute(_FIND, values).one_or_none())
        return None if row is None else Token.model_validate(row._asdict())

    async def use(self, token_id: str, now: datetime) -> None:
        """Store that the token was used now."""
        unused = tokens.c.last_used_at.is_(None) | (tokens.c.last_used_at < now)
        used = update(tokens).where(tokens.c.token_id == token_id, unused).values(last_used_at=now)
        await self._database.write(lambda connection: connection.execute(used))

    async def list(self, partner_id: str | None) -> tuple[Token, ...]:
        """The tokens of a partner, or (None) of the retailer, in the order of creation, including revoked ones."""
        found = (
            select(*_COLUMNS, _MAKER)
            .outerjoin(users, users.c.user_id == tokens.c.made_by)
            .where(
                tokens.c.partner_id.is_(None)
                if partner_id is None
                else tokens.c.partner_id == partner_id
            )
            .order_by(tokens.c.created_at, tokens.c.token_id)
        )
        async with self._database.reading() as connection:
            return tuple(
                Token.model_validate(row._asdict()) for row in await connection.execute(found)
            )

    @to_the_end
    async def revoke(self, partner_id: str | None, token_id: str, now: datetime) -> bool:
        """Revoke a token of that partner (None: the retailer). False if it does not exist. Idempotent."""
        if not (storable(token_id) and storable(partner_id or "")):
            return False
        which = and_(
            tokens.c.token_id == token_id,
            tokens.c.partner_id.is_(None)
            if partner_id is None
            else tokens.c.partner_id == partner_id,
        )
        revoked = update(tokens).where(which, tokens.c.revoked_at.is_(None)).values(revoked_at=now)
        async with self._database.writing() as connection:
            await connection.execute(revoked)
            found = await connection.execute(select(exists().where(which)))
            return bool(found.scalar_one())

    async def bound(self, latest: datetime) -> int:
        """Let no valid token last beyond `latest`, not even one without an end. Returns how many changed."""
        late = tokens.c.expires_at.is_(None) | (tokens.c.expires_at > latest)
        bounded = update(tokens).where(late, tokens.c.revoked_at.is_(None))
        return await self._database.write(
            lambda connection: connection.execute(bounded.values(expires_at=latest)).rowcount
        )

    async def tell_of_ends(self, now: datetime, operations: Recipient) -> int:
        """Notify operations of tokens that end soon, once of each. Returns how many there are.

        Tokens that were made for `TOLD_BEFORE` or less are left out: whoever made one knows when it ends.
        """
        found = (
            select(
                tokens.c.token_id,
                tokens.c.name,
                partners.c.name.label("owner"),
                tokens.c.created_at,
                tokens.c.expires_at,
            )
            .outerjoin(partners, partners.c.partner_id == tokens.c.partner_id)
            .where(
                tokens.c.revoked_at.is_(None),
                tokens.c.end_told_at.is_(None),
                tokens.c.expires_at > now,
                tokens.c.expires_at <= now + TOLD_BEFORE,
                has_not_ended(tokens.c.partner_id),
            )
            .order_by(tokens.c.expires_at, tokens.c.token_id)
            .with_for_update(of=tokens)
        )

        def tell_once(connection: Connection) -> int:
            ending = [
                row
                for row in connection.execute(found)
                if row.expires_at - row.created_at > TOLD_BEFORE
            ]
            if ending:
                of = tokens.c.token_id.in_([row.token_id for row in ending])
                connection.execute(update(tokens).where(of).values(end_told_at=now))
                named = [[row.name, row.owner, row.expires_at.isoformat()] for row in ending]
                tell(connection, "tokens_end_soon", TOKENS, [operations], {"tokens": named}, now)
            return len(ending)

        return await self._database.write(tell_once)
