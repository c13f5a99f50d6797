"""Imports a file of payments: each line pays one settlement, or says why not."""

import asyncio
import hashlib
from collections import defaultdict
from typing import Literal, NamedTuple

from domain.errors import InvalidCommand
from domain.settlements.commands import NotePaid
from domain.settlements.errors import SettlementRefused
from domain.settlements.payments import Column, Payment, Row, read_payments
from domain.settlements.settlement import SettlementStatus
from records.settlements import Settlements, StoredSettlement
from temporal.calls import Broken, TemporalAway
from use_cases import access
from use_cases.order_errors import RequestReused
from use_cases.payments import PaymentUseCases
from use_cases.principal import Principal
from use_cases.settlement_gateway import UnknownSettlement

AT_ONCE = 8
"""How many settlements are paid at the same time."""

Result = Literal[
    "paid",
    "already_paid",
    "unknown_settlement",
    "amount_differs",
    "not_approved",
    "bad_row",
    "no_answer",
]
"""The result of a line.

`paid`: it is paid now. `already_paid`: it was paid before. `unknown_settlement`: there is none with this number.
`amount_differs`: it is the total neither of the statement nor of the invoice. `not_approved`: its state is not
`approved`. `bad_row`: the line cannot be read, or the day of the payment is not possible. `no_answer`: Temporal is away
or a worker does not answer; import the file again.
"""


class Imported(NamedTuple):
    """The result of a line. `row`: what was read. `column`: the cell that is wrong; None if none is, or the whole line.

    `code`: what is wrong with a `bad_row`: a problem of `domain/settlements/payments.py`, or the code of an
    `InvalidCommand`. `stored`: the settlement, if there is one.
    """

    row: Row
    result: Result
    column: Column | None = None
    code: str = ""
    stored: StoredSettlement | None = None


class PaymentImport:
    """Imports files of payments. Importing a file again changes nothing."""

    def __init__(self, payments: PaymentUseCases, settlements: Settlements) -> None:
        self._payments = payments
        self._settlements = settlements

    async def run(self, principal: Principal, content: bytes) -> tuple[Imported, ...]:
        """Pay what a file lists. Returns the result of each line, in their order.

        If this process dies meanwhile, the payments so far are kept, and importing the file again does the rest.

        Raises:
            Forbidden: not for this role.
            InvalidCommand: it is no file of payments (`read_payments`); nothing was paid.
        """
        access.check(principal, "import_payments")
        rows = read_payments(content)
        turn = asyncio.Semaphore(AT_ONCE)
        # Lines about one settlement are handled one after the other.
        of_settlement: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            of_settlement[row.settlement_id.upper()].append(row)

        async def do(some: list[Row]) -> list[Imported]:
            async with turn:
                return [await self._one(principal, row) for row in some]

        tasks = [asyncio.create_task(do(some)) for some in of_settlement.values()]
        try:
            done = [each for some in await asyncio.gather(*tasks) for each in some]
        finally:
            for task in tasks:
                task.cancel()
        return tuple(sorted(done, key=lambda each: each.row.line))

    async def _one(self, principal: Principal, row: Row) -> Imported:
        payment = row.payment
        if payment is None:
            return Imported(row, "bad_row", row.column, row.problem or "")
        stored = await self._settlements.get(payment.settlement_id)
        if stored is None:
            return Imported(row, "unknown_settlement", "settlement_id")
        obstacle = _obstacle(row, payment, stored)
        if obstacle is not None:
            return obstacle
        command = NotePaid(paid_on=payment.paid_on, reference=payment.reference)
        try:
            paid = await self._payments.pay(
                principal, payment.settlement_id, command, _request_id(payment)
            )
        except InvalidCommand as invalid:
            return Imported(row, "bad_row", "paid_on", invalid.code, stored)
        except UnknownSettlement:
            return Imported(row, "unknown_settlement", "settlement_id")
        except (SettlementRefused, RequestReused):
            # Somebody else has changed it meanwhile.
            now = await self._settlements.get(payment.settlement_id) or stored
            return _obstacle(row, payment, now) or Imported(row, "no_answer", stored=now)
        except (TemporalAway, Broken):
            return Imported(row, "no_answer", stored=stored)
        return Imported(row, "paid", stored=paid)


def _obstacle(row: Row, payment: Payment, stored: StoredSettlement) -> Imported | None:
    """Why the payment cannot be noted now; None if it can."""
    settlement = stored.settlement
    statement = settlement.statement
    if statement is None or settlement.status is SettlementStatus.VOID:
        return Imported(row, "not_approved", "settlement_id", stored=stored)
    # An invoice that rounds differently is paid with its own total.
    if payment.amount not in (statement.total, settlement.invoice_total):
        return Imported(row, "amount_differs", "amount", stored=stored)
    if settlement.status is SettlementStatus.PAID:
        return Imported(row, "already_paid", stored=stored)
    if settlement.status is not SettlementStatus.APPROVED:
        return Imported(row, "not_approved", "settlement_id", stored=stored)
    return None


def _request_id(payment: Payment) -> str:
    """The id of a payment's command: the same payment twice, or in two imports at once, is noted once."""
    parts = "\n".join(map(str, payment))
    return f"payment-{hashlib.sha256(parts.encode()).hexdigest()[:32]}"
