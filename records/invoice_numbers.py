"""The numbers of the invoices that CMI made for partners."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.dialects import postgresql, sqlite

from domain.settlements.invoicing import number_key
from records.database import Database, to_the_end
from records.tables import invoice_numbers


class InvoiceNumbers:
    """Each number of a partner belongs to the settlement that used it first, for good."""

    def __init__(self, database: Database) -> None:
        self._database = database
        insert = sqlite.insert if database.is_sqlite else postgresql.insert
        self._add = insert(invoice_numbers).on_conflict_do_nothing(
            index_elements=[invoice_numbers.c.partner_id, invoice_numbers.c.number_key]
        )

    @to_the_end
    async def reserve(self, partner_id: str, number: str, settlement_id: str, at: datetime) -> str:
        """Reserve a number for a settlement, unless it belongs to another. Returns the settlement it belongs to."""
        row = {
            "partner_id": partner_id,
            "number_key": number_key(number),
            "settlement_id": settlement_id,
            "at": at,
        }
        async with self._database.writing() as connection:
            await connection.execute(self._add, row)
            holder: str = (await connection.execute(_holder(partner_id, number))).scalar_one()
        return holder

    async def holder(self, partner_id: str, number: str) -> str | None:
        """The settlement that a partner's number belongs to; None if it is free."""
        async with self._database.reading() as connection:
            found = await connection.execute(_holder(partner_id, number))
            known: str | None = found.scalar_one_or_none()
        return known


def _holder(partner_id: str, number: str) -> Select[Any]:
    return select(invoice_numbers.c.settlement_id).where(
        invoice_numbers.c.partner_id == partner_id,
        invoice_numbers.c.number_key == number_key(number),
    )
