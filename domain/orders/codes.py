"""The codes that people choose among: items and answers of the checklist, reasons, decisions."""

from typing import Literal

ChecklistItem = Literal["connections", "space", "passages", "kit", "wall"]
ChecklistAnswer = Literal["yes", "not_applicable"]
RejectionReason = Literal[
    "no_connection",
    "no_space",
    "passage_too_narrow",
    "missing_kit",
    "wall_unsuitable",
    "customer_withdrew",
    "customer_unreachable",
    "other",
]
NotExecutedReason = Literal[
    "transport_damage", "customer_absent", "site_not_ready", "wrong_goods", "other"
]
ProblemReason = Literal[
    "customer_unreachable",
    "customer_withdrew",
    "customer_postpones",
    "damaged_on_receipt",
    "wrong_goods",
    "partner_unable",
    "site_not_ready",
    "customer_absent",
    "other",
]
DeclineReason = Literal["no_capacity", "outside_area", "not_our_trade", "other"]
UnassignReason = Literal["not_accepted", "partner_ended"]
Decision = Literal[
    "new_appointment", "reship", "cancel", "accept_as_executed", "continue", "wait_until"
]
MovedBy = Literal["customer", "partner"]
