"""Activities that make or read a partner's paper while an update of the settlement waits for it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError

from contracts import names
from contracts.messages import refusal, try_again
from domain.settlements.errors import SettlementRefused
from domain.settlements.settlement import SettlementStatus
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

    def start(self, activity: str, argument: Any, **options: Any) -> workflow.ActivityHandle[Any]:
        """Start one.

        Raises:
            ApplicationError: of type `ComeAgain` after `stop`.
        """
        if self._stopped:  # an update that waited for its turn until another one was cancelled
            raise try_again()
        return self._background.start_activity(
            activity,
            argument,
            task_queue=names.DOCUMENTS_QUEUE,
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

    def cancel(self) -> None:
        """Cancel those that an update waits for."""
        for handle in self._awaited:
            handle.cancel()

    def stop(self) -> None:
        """Cancel them and start no more: the workflow goes on in a new run."""
        self._stopped = True
        self.cancel()
