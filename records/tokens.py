"""Tokens of partners' software and of the retailer's systems. Only hashes are stored."""

from datetime import datetime
from typing import Literal

from sqlalchemy import and_, exists, select, update
from sqlalchemy.dialects import postgresql, sqlite

from domain.values import Value
from records.database import Database, storable, to_the_end
from records.endings import has_not_ended
from records.tables import tokens

TokenRole = Literal["partner", "operations", "shop", "warehouse", "accounting"]


class Token(Value):
    """The data about a token, without the token itself. `made_by`: the login of the person who made it, if one did."""

    token_id: str
    role: TokenRole
    partner_id: str | None
    name: str
    created_at: datetime
    last_used_at: datetime | None
    expires_at: datetime | None
    revoked_at: datetime | None
    made_by: str | None = None


_COLUMNS = [tokens.c[name] for name in Token.model_fields]


class Tokens:
    """The tokens."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._add = insert(tokens).on_conflict_do_nothing(index_elements=[tokens.c.token_id])

    @to_the_end
    async def add(self, token: Token, token_hash: str) -> bool:
        """Store a new token. False if its id is taken; the existing one is not changed."""
        row = {**token.model_dump(), "token_hash": token_hash}
        async with self._database.writing() as connection:
            return (await connection.execute(self._add, row)).rowcount == 1

    async def find(self, token_hash: str, now: datetime) -> Token | None:
        """The token with this hash, if it is neither expired nor revoked, and its partner has not ended."""
        found = select(*_COLUMNS).where(
            tokens.c.token_hash == token_hash,
            tokens.c.revoked_at.is_(None),
            has_not_ended(tokens.c.partner_id),
            tokens.c.expires_at.is_(None) | (tokens.c.expires_at > now),
        )
        row = await self._database.read(lambda c: c.execute(found).one_or_none())
        return None if row is None else Token.model_validate(row._asdict())

    async def use(self, token_id: str, now: datetime) -> None:
        """Store when the token was last used."""
        unused = tokens.c.last_used_at.is_(None) | (tokens.c.last_used_at < now)
        used = update(tokens).where(tokens.c.token_id == token_id, unused).values(last_used_at=now)
        await self._database.write(lambda connection: connection.execute(used))

    async def list(self, partner_id: str | None) -> tuple[Token, ...]:
        """The tokens of a partner, or (None) of the retailer, in the order of creation, including revoked ones."""
        found = (
            select(*_COLUMNS)
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
