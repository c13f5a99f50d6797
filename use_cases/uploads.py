"""The invoices of a settlement: the outcome of each, and its file as long as it is kept."""

from datetime import datetime
from typing import Literal, NamedTuple, get_args

from domain.settlements.invoicing import Verdict
from domain.settlements.settlement import Settlement
from records.papers import Paper, Papers, invoice_id
from records.uploads import KeptInvoice, Uploads
from use_cases import access
from use_cases.papers import NoSuchPaper
from use_cases.principal import Principal
from use_cases.settlement_gateway import SettlementGateway

Outcome = Literal["accepted", "held", "returned", "refused", "no_result"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


class FileDeleted(Exception):
    """The file of this invoice was deleted after its retention. Its hash and its verdict are kept."""

    def __init__(self, deleted_at: datetime) -> None:
        super().__init__(deleted_at.isoformat())
        self.deleted_at = deleted_at


class UploadedInvoice(NamedTuple):
    """An invoice and its outcome.

    `accepted`: accounting has it. `held`: accounting decides about its account. `returned`: accounting returned it.
    `refused`: its check found something wrong. `no_result`: its check is running, or has no result because the
    settlement went on without it. `verdict` is that of the check; None if there is none.
    """

    kept: KeptInvoice
    outcome: Outcome
    verdict: Verdict | None


class UploadedInvoices:
    """Lists the invoices of a settlement, and returns their files."""

    def __init__(self, gateway: SettlementGateway, uploads: Uploads, papers: Papers) -> None:
        self._gateway = gateway
        self._uploads = uploads
        self._papers = papers

    async def list(self, principal: Principal, number: str) -> tuple[UploadedInvoice, ...]:
        """The invoices that came for a settlement, also those whose files are deleted, in their order.

        Raises:
            Forbidden, UnknownSettlement: as `SettlementUseCases.find`.
        """
        settlement = await self._settlement(principal, number)
        kept = await self._uploads.of(settlement.settlement_id)
        return tuple(_with_outcome(settlement, each) for each in kept)

    async def file(self, principal: Principal, number: str, sha256: str) -> Paper:
        """The file of an invoice, by its SHA-256.

        Raises:
            Forbidden, UnknownSettlement: as `list`.
            NoSuchPaper: the settlement has no such invoice.
            FileDeleted: it is not kept any more.
        """
        settlement = await self._settlement(principal, number)
        paper = await self._papers.get(invoice_id(settlement.settlement_id, sha256))
        if paper is None or paper.sha256 != sha256:
            raise NoSuchPaper("invoice")
        if paper.deleted_at is not None:
            raise FileDeleted(paper.deleted_at)
        return paper

    async def _settlement(self, principal: Principal, number: str) -> Settlement:
        access.check(principal, "read_settlements")
        return (await self._gateway.known(principal, number)).settlement


def _with_outcome(settlement: Settlement, kept: KeptInvoice) -> UploadedInvoice:
    verdict = None if kept.verdict is None else Verdict.model_validate_json(kept.verdict)
    held = settlement.held.paper_id if settlement.held else None
    outcome: Outcome = "no_result"
    if kept.paper_id == settlement.invoice_paper_id:
        outcome = "accepted"
    elif kept.paper_id == held:
        outcome = "held"
    elif kept.paper_id in settlement.returned_papers:
        outcome = "returned"
    elif verdict is not None and not verdict.accepted:
        outcome = "returned" if verdict.accounting_decides else "refused"
    return UploadedInvoice(kept, outcome, verdict)
