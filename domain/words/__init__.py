"""All sentences of the domain in German, French, Italian and English, as they are written in Switzerland.

Tables and pure functions, fit for the workflow sandbox. One module holds one language (`Vocabulary`), so that one
person can read it through.
"""

from domain.words.dates import (
    format_day,
    format_instant,
    format_period,
    format_short_day,
    format_span,
)
from domain.words.labels import (
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
from domain.words.sentences import (
    allowed_text,
    explanation_text,
    invalid_text,
    refusal_reason,
    refusal_text,
    refused_text,
)
from domain.words.settlement import (
    left_out_text,
    paper_not_made_text,
    settlement_action_label,
    settlement_event_text,
    settlement_refusal_text,
    settlement_status_label,
)
from domain.words.timeline import event_text

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
    "format_period",
    "format_short_day",
    "format_span",
    "invalid_text",
    "left_out_text",
    "mail_label",
    "outcome_label",
    "paper_not_made_text",
    "party_label",
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
