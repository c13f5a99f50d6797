"""Activities that make or read a partner's paper while an update of the settlement waits for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from contracts import activities, names
from contracts.messages import refusal, try_again
from domain.errors import InvalidCommand
from domain.settlements.errors import SettlementRefused
from domain.settlements.invoicing import OwnInvoice, Problem, Verdict
from domain.settlements.settlement import Settlement, SettlementStatus
from workflows.background import HEARTBEAT, UNTIL_IT_SUCCEEDS, Background, was_cancelled

DOCUMENT_LIMIT = timedelta(minutes=10)


class PaperActivities:
    """Activities that are cancelled when the settlement no longer awaits an invoice, or goes on in a new run.

    `status`: the settlement's state now.
    """

    def __init__(self, background: Background, status: Callable[[], SettlementStatus]) -> None:
        self._background = background
        self._status = status
        self._stopped = False
        self._awaited: list[workflow.ActivityHandle[Any]] = []

    def start(
        self,
        activity: str,
        argument: Any,
        *,
        queue: str = names.DOCUMENTS_QUEUE,
        **options: Any,
    ) -> workflow.ActivityHandle[Any]:
        """Start one, on a worker of `queue`.

        Raises:
            ApplicationError: of type `ComeAgain` after `stop`.
        """
        if self._stopped:  # an update that waited until another one was cancelled
            raise try_again()
        return self._background.start_activity(
            activity,
            argument,
            task_queue=queue,
            start_to_close_timeout=DOCUMENT_LIMIT,
            heartbeat_timeout=HEARTBEAT,
            retry_policy=UNTIL_IT_SUCCEEDS,
            **options,
        )

    async def result(self, handle: workflow.ActivityHandle[Any], action: str) -> Any:
        """Wait for its result; several updates may wait for the same. `action`: what the update asks for.

        Raises:
            ApplicationError: it was cancelled: of type `Refused` by the settlement's state, `ComeAgain` by `stop`.
            ActivityError: it failed.
        """
        self._awaited.append(handle)
        try:
            return await handle
        except ActivityError as error:
            if not was_cancelled(error):
                raise
            if self._stopped:
                raise try_again() from error
            raise refusal(SettlementRefused(action, "wrong_state", self._status())) from error
        finally:
            self._awaited.remove(handle)

    async def invoice(
        self, settlement: Settlement, of: activities.SettlementOf, invoice: OwnInvoice
    ) -> str:
        """Have the partner's invoice made. Returns the paper's id.

        Raises:
            SettlementRefused: none can be made now.
            InvalidCommand: the partner has used the number for another settlement.
            ApplicationError: of type `NotMade`: it failed; and as `result`.
        """
        handle = self.start(
            activities.MAKE_INVOICE,
            activities.InvoiceToMake(settlement=of, invoice=invoice),
            result_type=str,
            summary="the partner's invoice",
        )
        try:
            paper_id: str = await self.result(handle, "invoice")
        except ActivityError as error:
            match error.cause:
                case ApplicationError(type=names.NUMBER_USED):
                    raise InvalidCommand("invoice_number", "invoice_number_used") from error
                case ApplicationError(type=names.NO_IBAN):
                    status = settlement.status
                    raise SettlementRefused("invoice", "unusable_iban", status) from error
                case ApplicationError(type=names.TOO_MANY_PAPERS):
                    status = settlement.status
                    raise SettlementRefused("invoice", "too_many_files", status) from error
                case _:
                    raise ApplicationError(
                        "the invoice was not made", type=names.NOT_MADE
                    ) from error
        return paper_id

    async def verdict(
        self, settlement: Settlement, of: activities.SettlementOf, paper_id: str
    ) -> Verdict:
        """Have an invoice checked. One that accounting has returned is not accepted again. Raises as `result`."""
        if paper_id in settlement.returned_papers:
            problem = Problem(code="returned", detail=settlement.return_reason[:200])
            return Verdict(accepted=False, problems=(problem,))
        check = self.start(
            activities.CHECK_INVOICE,
            activities.InvoiceToCheck(settlement=of, paper_id=paper_id),
            queue=names.INVOICES_QUEUE,
            result_type=Verdict,
            summary="check of an uploaded invoice",
        )
        verdict: Verdict = await self.result(check, "invoice")
        return verdict

    def cancel(self) -> None:
        """Cancel those that an update waits for."""
        for handle in self._awaited:
            handle.cancel()

    def stop(self) -> None:
        """Cancel them and start no more: the workflow goes on in a new run."""
        self._stopped = True
        self.cancel()
