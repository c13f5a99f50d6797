"""What a settlement answers to a command that is not allowed now."""

from typing import Literal

from domain.settlements.settlement import SettlementStatus


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
