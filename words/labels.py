"""Names of things: states, deadlines, actions, parties, reasons, checklist items, outcomes, mails, authors."""

from collections.abc import Mapping
from typing import Literal

from domain.actors import Role
from domain.orders import recorded_mails
from domain.orders.codes import ChecklistAnswer, ChecklistItem
from domain.orders.command_rules import COMMANDS
from domain.orders.deadline import DeadlineKind, Outcome
from domain.orders.deadline_rules import RULES, DeadlineWords
from domain.orders.order import Party, Status
from domain.settlements import mails
from domain.values import Language
from words.translations import Meaning, mark, pmark, say

ContactOutcome = Literal["reached", "not_reached"]


STATUSES: Mapping[Status, str] = {
    Status.AWAITING_PAYMENT: mark("Wartet auf Zahlungseingang"),
    Status.IN_TRANSMISSION: mark("In Übermittlung"),
    Status.NEW: mark("Auftrag akzeptieren"),
    Status.UNASSIGNED: mark("Ohne Servicepartner"),
    Status.CHECK_REQUIREMENTS: mark("Anforderungen prüfen"),
    Status.REQUIREMENTS_MET: mark("Anforderungen erfüllt"),
    Status.SET_APPOINTMENT: mark("Kundentermin setzen"),
    Status.CONFIRM_EXECUTION: mark("Ausführung bestätigen"),
    Status.UNDER_REVIEW: mark("In Abklärung"),
    Status.ON_HOLD: mark("Zurückgestellt"),
    Status.COMPLETED: mark("Abgeschlossen, nicht verrechnet"),
    Status.BILLED: mark("Verrechnet"),
    Status.CANCELLED: mark("Storniert"),
}
DEADLINES: Mapping[DeadlineKind, DeadlineWords] = {
    rule.kind: rule.words for rule in RULES if rule.words is not None
}
ACTIONS: Mapping[str, str] = {
    action: label for rule in COMMANDS for action, label in rule.actions.items()
}
PARTIES: Mapping[Party, Meaning] = {
    "partner": pmark("Partei im Satz", "Servicepartner"),
    "customer": pmark("Partei im Satz", "Kundschaft"),
    "warehouse": pmark("Partei im Satz", "Lager"),
    "retailer": pmark("Partei im Satz", "Händler"),
}
ROLES: Mapping[Role, Meaning] = {
    "partner": pmark("Rolle", "Servicepartner"),
    "operations": pmark("Rolle", "Servicepartner-Team"),
    "shop": pmark("Rolle", "Shop"),
    "warehouse": pmark("Rolle", "Lager"),
    "accounting": pmark("Rolle", "Buchhaltung"),
    "system": pmark("Rolle", "System"),
}
REASONS: Mapping[str, str] = {
    "no_connection": mark("Anschluss fehlt"),
    "no_space": mark("Zu wenig Platz"),
    "passage_too_narrow": mark("Durchgang zu schmal"),
    "missing_kit": mark("Halterung oder Montageset fehlt"),
    "wall_unsuitable": mark("Wand nicht geeignet"),
    "customer_withdrew": mark("Kundschaft verzichtet"),
    "customer_unreachable": mark("Kundschaft nicht erreichbar"),
    "transport_damage": mark("Transportschaden"),
    "customer_absent": mark("Kundschaft nicht angetroffen"),
    "site_not_ready": mark("Einbauort nicht bereit"),
    "wrong_goods": mark("Falsche Ware geliefert"),
    "customer_postpones": mark("Kundschaft verschiebt"),
    "damaged_on_receipt": mark("Ware bei Erhalt beschädigt"),
    "partner_unable": mark("Servicepartner verhindert"),
    "no_capacity": mark("Keine Kapazität"),
    "outside_area": mark("Ausserhalb des Einsatzgebiets"),
    "not_our_trade": mark("Gehört nicht zu unseren Arbeiten"),
    "not_accepted": mark("Nicht akzeptiert"),
    "partner_ended": mark("Zusammenarbeit beendet"),
    "other": mark("Anderer Grund"),
}
ITEMS: Mapping[ChecklistItem, str] = {
    "connections": mark("Sind die nötigen Anschlüsse vorhanden?"),
    "space": mark("Ist am Einbauort genug Platz?"),
    "passages": mark("Sind Türen, Gänge und Treppen breit genug?"),
    "kit": mark("Sind Halterungen oder Montagesets vorhanden?"),
    "wall": mark("Ist die Wand tragfähig genug?"),
}
ANSWERS: Mapping[ChecklistAnswer, str] = {
    "yes": mark("Ja"),
    "not_applicable": mark("Trifft nicht zu"),
}
OUTCOMES: Mapping[ContactOutcome | Outcome, str] = {
    "reached": mark("Erreicht"),
    "not_reached": mark("Nicht erreicht"),
    "met": mark("Eingehalten"),
    "missed": mark("Verpasst"),
    "void": mark("Hinfällig"),
}


def status_label(status: Status, language: Language) -> str:
    """The name of a state on screen. An unknown state is shown by its code."""
    text = STATUSES.get(status)
    return say(language, text) if text else status.value


def deadline_label(kind: DeadlineKind, language: Language) -> str:
    """What has to be done by a deadline, "Auftrag akzeptieren". An unknown one is named by its kind."""
    words = DEADLINES.get(kind)
    return say(language, words.label) if words else kind


def deadline_start(kind: DeadlineKind, language: Language) -> str:
    """What a deadline runs from, to be put before the instant. An unknown one is named by its kind."""
    words = DEADLINES.get(kind)
    return say(language, words.start) if words else kind


def deadline_task(kind: DeadlineKind, language: Language) -> str:
    """What a deadline is for, to be put after "the deadline for". An unknown one is named by its kind."""
    words = DEADLINES.get(kind)
    return say(language, words.task) if words else kind


def deadline_please(kind: DeadlineKind, due: str, language: Language) -> str:
    """The sentence that asks the partner to meet a deadline; `due` is its instant in words.

    Empty for a deadline that is not the partner's.
    """
    words = DEADLINES.get(kind)
    return say(language, words.please, due=due) if words and words.please else ""


def action_label(action: str, language: Language) -> str:
    """The text of the button for an action of `command_rules.COMMANDS`; the decisions of a review are actions, too.

    An unknown action is shown by its code.
    """
    return _label(ACTIONS, action, language)


def party_label(party: Party, language: Language) -> str:
    """The name of a party that can have the ball, for use inside a sentence."""
    return say(language, PARTIES[party])


def ball_text(party: Party, language: Language) -> str:
    """Whose turn it is: "Zuständig: Servicepartner"."""
    return say(language, "Zuständig: %(party)s", party=party_label(party, language))


def reason_label(reason: str, language: Language) -> str:
    """The text of a reason: why requirements were rejected or a service was not executed. Free text stays as it is."""
    return _label(REASONS, reason, language)


def checklist_label(item: ChecklistItem, language: Language) -> str:
    """An item of the checklist, as a question that `answer_label` answers."""
    return say(language, ITEMS[item])


def answer_label(answer: ChecklistAnswer, language: Language) -> str:
    """An answer to a question of the checklist."""
    return say(language, ANSWERS[answer])


def outcome_label(outcome: ContactOutcome | Outcome, language: Language) -> str:
    """How a contact or a deadline ended. An unknown outcome is shown by its code."""
    text = OUTCOMES.get(outcome)
    return say(language, text) if text else outcome


def mail_label(kind: str, language: Language) -> str:
    """The name of a kind of mail, about an order or a settlement. An unknown kind is shown by its code.

    Events of earlier releases name an undelivered mail by its kind and its audience: "reminder to partner".
    """
    text = _MAILS.get(kind.partition(" to ")[0])
    return say(language, text) if text else kind


def role_label(role: Role, language: Language) -> str:
    """The name of a role."""
    return say(language, ROLES[role])


def author_text(
    by: str,
    on_behalf_of: str | None,
    language: Language,
    names: Mapping[str, str] | None = None,
    person: str | None = None,
) -> str:
    """An author in words: "Anna (Servicepartner-Team) für Elektro Huber AG", "Elektro Huber AG (Hans Muster)".

    See `domain.authors`. `names`: partners' names by their ids; a partner that is not among them is named by its id.
    """
    names = names or {}
    if on_behalf_of is not None:
        author = author_text(by, None, language, names)
        return say(
            language,
            "%(author)s für %(partner)s",
            author=author,
            partner=names.get(on_behalf_of, on_behalf_of),
        )
    role, _, name = by.partition(":")
    if role == "partner" and name:
        firm = names.get(name, name)
        return f"{firm} ({person})" if person else firm
    label = next((role_label(known, language) for known in ROLES if known == role), role)
    if not name or name == label:
        return label
    return say(language, "%(name)s (%(role)s)", name=name, role=label)


_ACCOUNT_MAILS: dict[str, str | Meaning] = {
    "email_changed": mark("Geänderte E-Mail-Adresse"),
    "tokens_ended": mark("Beendete Tokens"),
    "tokens_end_soon": mark("Ablaufende Tokens"),
}
_ASKED_REMINDER: dict[str, str | Meaning] = {
    "asked_reminder": mark("Erinnerung vom Servicepartner-Team"),
}
_PERSON_MAILS: dict[str, str | Meaning] = {
    "person_assigned": mark("Zugeteilter Auftrag"),
    "person_changes": mark("Änderung an einem zugeteilten Auftrag"),
    "person_today": mark("Termine von heute"),
    "person_new_orders": mark("Neuer Auftrag, an eine Person"),
    "person_digest": mark("Offene Aufträge, an eine Person"),
}
_MAILS = (
    recorded_mails.mail_names()
    | mails.mail_names()
    | _ACCOUNT_MAILS
    | _ASKED_REMINDER
    | _PERSON_MAILS
)


def _label(texts: Mapping[str, str], code: str, language: Language) -> str:
    text = texts.get(code)
    return say(language, text) if text else code
