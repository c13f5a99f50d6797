"""The use cases of accounting: approve, return and pay a partner's invoice, one by one or by a file of payments."""

from datetime import date

from domain.settlements.commands import ApproveInvoice, NotePaid, ReturnInvoice
from domain.settlements.settlement import SettlementStatus
from records.settlements import StoredSettlement
from use_cases import access
from use_cases.principal import Principal
from use_cases.settlement_gateway import SettlementGateway


class PaymentUseCases:
    """Approves, returns and pays invoices."""

    def __init__(self, gateway: SettlementGateway) -> None:
        self._gateway = gateway

    async def approve(self, principal: Principal, number: str, request_id: str) -> StoredSettlement:
        """Approve an invoice for payment. Raises as `SettlementUseCases.close`."""
        access.check(principal, "approve")
        known = await self._gateway.known(principal, number)
        return await self._gateway.act(principal, known, ApproveInvoice(), request_id)

    async def return_invoice(
        self, principal: Principal, number: str, reason: str, request_id: str
    ) -> StoredSettlement:
        """Return an invoice to its partner, who is told why and sends another. Raises as `SettlementUseCases.close`."""
        access.check(principal, "return")
        known = await self._gateway.known(principal, number)
        return await self._gateway.act(principal, known, ReturnInvoice(reason=reason), request_id)

    async def pay(
        self, principal: Principal, number: str, payment: NotePaid, request_id: str
    ) -> StoredSettlement:
        """Note that an approved invoice was paid. The same payment again changes nothing.

        Raises the errors of `SettlementUseCases.close`, and `InvalidCommand`: the day of the payment is not possible.
        """
        access.check(principal, "pay")
        known = await self._gateway.known(principal, number)
        if is_paid_by(known, payment.paid_on, payment.reference):
            return known
        return await self._gateway.act(principal, known, payment, request_id)


def is_paid_by(stored: StoredSettlement, paid_on: date, reference: str) -> bool:
    """Whether a settlement was paid on this day with this reference."""
    settlement = stored.settlement
    return settlement.status is SettlementStatus.PAID and (
        settlement.paid_on,
        settlement.payment_reference,
    ) == (paid_on, reference)
