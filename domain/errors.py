"""What a rule answers instead of events: a refusal, a value that cannot be, or that it does not understand."""

from collections.abc import Iterable
from typing import Literal

from domain.order import Order, Status
from domain.settlement import SettlementStatus


class Refused(Exception):
    """A command that is not allowed now.

    Attributes:
        action: what was asked.
        code: why not: `wrong_state`, `final`, `before_goods`, `not_yours`, `role`, `other_settlement`.
        status: the state that refused.
        allowed: the actions allowed now.
    """

    def __init__(self, order: Order, action: str, code: str, allowed: Iterable[str]) -> None:
        self.action = action
        self.code = code
        self.status: Status = order.status
        self.allowed = tuple(allowed)
        super().__init__(
            f"{action} is refused in state {order.status} ({code}); "
            f"allowed now: {', '.join(self.allowed) or 'nothing'}"
        )


class InvalidCommand(Exception):
    """A command whose values cannot be.

    Attributes:
        field: the name of the field in the body of the API's call (docs/contract.md).
        code: what is wrong with it; `words/sentences.py` has the sentences.
    """

    def __init__(self, field: str, code: str) -> None:
        self.field = field
        self.code = code
        super().__init__(f"{field}: {code}")


class SettlementRefused(Exception):
    """Something that a settlement does not allow now, or not to this caller.

    Attributes:
        action: what was asked.
        code: `wrong_state`, `too_late` for a selection whose time was over, `role`, `not_yours`, `too_many_files` for
            one more upload; `older_rules` of a version before the one that holds.
        status: the state that refused.
        allowed: what this caller may do now.
    """

    def __init__(
        self,
        action: str,
        code: Literal[
            "wrong_state", "too_late", "role", "not_yours", "too_many_files", "older_rules"
        ],
        status: SettlementStatus,
        allowed: tuple[str, ...] = (),
    ) -> None:
        self.action = action
        self.code = code
        self.status = status
        self.allowed = allowed
        super().__init__(f"{action} is refused in state {status} ({code})")


class NotUnderstood(Exception):
    """Something that a newer process wrote, and that decisions must not be made upon here.

    In a workflow it fails the task, which is tried again until a newer worker takes it.
    """
