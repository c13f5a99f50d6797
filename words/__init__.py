"""The texts of the domain in every language: names, sentences, days, timelines.

Tables of German texts and pure functions that translate them (`words.translations`), fit for the workflow sandbox.
"""

from words.dates import (
    format_day,
    format_instant,
    format_near,
    format_period,
    format_short_day,
    format_span,
)
from words.labels import (
    action_label,
    answer_label,
    author_text,
    ball_text,
    checklist_label,
    deadline_label,
    deadline_please,
    deadline_task,
    mail_label,
    outcome_label,
    party_label,
    reason_label,
    role_label,
    status_label,
)
from words.sentences import (
    allowed_text,
    explanation_text,
    invalid_text,
    policy_missing_text,
    refusal_reason,
    refusal_text,
    refused_text,
)
from words.settlement import (
    left_out_text,
    month_runs_text,
    paper_not_made_text,
    settlement_action_label,
    settlement_event_text,
    settlement_refusal_text,
    settlement_status_label,
)
from words.timeline import event_text

__all__ = [
    "action_label",
    "allowed_text",
    "answer_label",
    "author_text",
    "ball_text",
    "checklist_label",
    "deadline_label",
    "deadline_please",
    "deadline_task",
    "event_text",
    "explanation_text",
    "format_day",
    "format_instant",
    "format_near",
    "format_period",
    "format_short_day",
    "format_span",
    "invalid_text",
    "left_out_text",
    "mail_label",
    "month_runs_text",
    "outcome_label",
    "paper_not_made_text",
    "party_label",
    "policy_missing_text",
    "reason_label",
    "refusal_reason",
    "refusal_text",
    "refused_text",
    "role_label",
    "settlement_action_label",
    "settlement_event_text",
    "settlement_refusal_text",
    "settlement_status_label",
    "status_label",
]
