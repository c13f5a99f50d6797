"""The refusal of a command that a settlement does not allow now."""

from typing import Literal

from domain.settlements.settlement import SettlementStatus


class SettlementRefused(Exception):
    """A command that is not allowed now, or not to this caller.

    Attributes:
        action: the action that was asked for.
        code: why not: `wrong_state`, `too_late` (the time to select is over), `role`, `not_yours`, `too_many_files`
            (no upload is left), `older_rules` (a version before its own), `no_iban`, `unusable_iban` (no invoice with a
            payment part can be made), `other_invoice` (another one came since the caller looked at it),
            `nothing_to_pay` (no invoice is due).
        status: the state that refused.
        allowed: the actions that this caller may take now.
    """

    def __init__(
        self,
        action: str,
        code: Literal[
            "wrong_state",
            "too_late",
            "role",
            "not_yours",
            "too_many_files",
            "older_rules",
            "no_iban",
            "unusable_iban",
            "other_invoice",
            "nothing_to_pay",
        ],
        status: SettlementStatus,
        allowed: tuple[str, ...] = (),
    ) -> None:
        self.action = action
        self.code = code
        self.status = status
        self.allowed = allowed
        super().__init__(f"{action} is refused in state {status} ({code})")
