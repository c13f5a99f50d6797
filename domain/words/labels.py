"""Names of things: states, deadlines, actions, parties, reasons, checklist items, outcomes, mails, authors."""

from typing import Literal

from domain.actors import Role
from domain.orders.commands import ChecklistAnswer, ChecklistItem
from domain.orders.order import DeadlineKind, Outcome, Party, Status
from domain.values import Language
from domain.words.languages import VOCABULARIES

ContactOutcome = Literal["reached", "not_reached"]


def status_label(status: Status, language: Language) -> str:
    """A state as it is called on screen. An unknown one keeps its own name."""
    return VOCABULARIES[language].statuses.get(status, status.value)


def deadline_label(kind: DeadlineKind, language: Language) -> str:
    """What has to be done by a deadline, "Auftrag akzeptieren". One that nobody knows is named as it is."""
    words = VOCABULARIES[language].deadlines.get(kind)
    return words.label if words else kind


def deadline_task(kind: DeadlineKind, language: Language) -> str:
    """What a deadline is for, as it stands after "the deadline for"."""
    words = VOCABULARIES[language].deadlines.get(kind)
    return words.task if words else kind


def deadline_please(kind: DeadlineKind, due: str, language: Language) -> str:
    """The sentence that asks the partner to keep a deadline; `due` is its instant in words. Empty of one that is not
    the partner's."""
    words = VOCABULARIES[language].deadlines.get(kind)
    return words.please.format(due=due) if words else ""


def action_label(action: str, language: Language) -> str:
    """What a button says that does this: any action of `lifecycle.ROLES`, a review's decisions among them.

    An action that nobody knows is named as it is.
    """
    return VOCABULARIES[language].actions.get(action, action)


def party_label(party: Party, language: Language) -> str:
    """The name of a party that can have the ball, for use inside a sentence."""
    return VOCABULARIES[language].parties[party]


def ball_text(party: Party, language: Language) -> str:
    """Whose turn it is: "Am Zug: Servicepartner"."""
    return VOCABULARIES[language].ball.format(party=party_label(party, language))


def reason_label(reason: str, language: Language) -> str:
    """Why requirements were rejected or a service was not executed; a free text is its own label."""
    return VOCABULARIES[language].reasons.get(reason, reason)


def checklist_label(item: ChecklistItem, language: Language) -> str:
    """What the fitter has to look at, as a question that `answer_label` answers."""
    return VOCABULARIES[language].items[item]


def answer_label(answer: ChecklistAnswer, language: Language) -> str:
    """An answer to a question of the checklist."""
    return VOCABULARIES[language].answers[answer]


def outcome_label(outcome: ContactOutcome | Outcome, language: Language) -> str:
    """How a contact or a deadline ended."""
    return VOCABULARIES[language].outcomes.get(outcome, outcome)


def mail_label(kind: str, language: Language) -> str:
    """A kind of mail by name, about an order or a settlement; one that nobody knows is named as it is.

    Events of former versions name an undelivered mail by its kind and its audience: "reminder to partner".
    """
    vocabulary = VOCABULARIES[language]
    known = {**vocabulary.settlement_mails, **vocabulary.mails}
    return known.get(kind.partition(" to ")[0], kind)


def role_label(role: Role, language: Language) -> str:
    """One of those who act."""
    return VOCABULARIES[language].roles[role]


def author_text(by: str, language: Language) -> str:
    """Who did it, and for whom: `Recorded.by` in words, "Anna (Servicepartner-Team) für elektro-huber"."""
    vocabulary = VOCABULARIES[language]
    # A login's name may hold anything, a partner's identifier no blank.
    author, separator, partner = by.rpartition(" for partner:")
    if separator:
        return vocabulary.on_behalf.format(author=author_text(author, language), partner=partner)
    role, _, name = by.partition(":")
    if role == "partner" and name:
        return name
    label = next((text for key, text in vocabulary.roles.items() if key == role), role)
    return vocabulary.named.format(name=name, role=label) if name else label
