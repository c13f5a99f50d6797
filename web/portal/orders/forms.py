"""The forms of an order's page: the input becomes a command, or a message beside each wrong field.

A form follows from its command: the type of a field decides how it is shown and read. `FORMS` has the exceptions. The
name of a field begins with its form, `appointment.day`, because a page has several forms.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Literal, NamedTuple, cast, get_args, get_origin, get_type_hints

from domain.fields import Note, Reason
from domain.orders.catalogue import checklist
from domain.orders.codes import ChecklistItem, RejectionReason
from domain.orders.command_rules import COMMANDS, CommandRule
from domain.orders.commands import (
    Accept,
    Cancel,
    ConfirmExecution,
    ConfirmRequirements,
    DecideReview,
    ExternalCommand,
    LogContact,
    RejectRequirements,
    ReportNotExecuted,
    SetAppointment,
)
from domain.orders.order import Order
from domain.values import Value
from web.portal.orders.fields import (
    Typed,
    Wrong,
    read_choice,
    read_clock,
    read_day,
    read_instant,
    read_note,
    read_required_note,
)
from words.translations import Meaning, mark, pmark

REASON_OF: Mapping[ChecklistItem, RejectionReason] = {
    "connections": "no_connection",
    "space": "no_space",
    "passages": "passage_too_narrow",
    "kit": "missing_kit",
    "wall": "wall_unsuitable",
}
"""The reason for a rejection that fits a "no" to each item of the checklist."""

LABELS: Mapping[str, str] = {
    "decision": mark("Wie geht es weiter?"),
    "executed_on": mark("Ausgeführt am"),
    "note": mark("Bemerkung"),
    "outcome": mark("Haben Sie die Kundschaft erreicht?"),
    "reason": mark("Grund"),
}
"""The labels of the fields."""
_MOST_BUTTONS = 4


class NoInChecklist(Exception):
    """The checklist has a "no", which means a rejection that the person must confirm. `reason` is the one that fits."""

    def __init__(self, reason: RejectionReason) -> None:
        self.reason = reason
        super().__init__(reason)


class Field(NamedTuple):
    """A field of a form. `choices` are the codes to choose from."""

    name: str
    kind: Literal["radio", "select", "day", "text", "required_text"]
    choices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """The label, marked for translation."""
        return LABELS[self.name]


class OrderForm(NamedTuple):
    """A form of an order's page.

    Attributes:
        command: the command that it gives.
        said: the notice on the next page.
        title, hint, button: the texts above the form, below its title, and on its button. Title and button are the
            label of the action by default.
        is_danger: whether its button ends something.
        reader: reads the command, if it is not read field by field.
        places: the names in the form of those fields of the command that have another name there.
    """

    command: type[Value]
    said: str = mark("Das ist gespeichert.")
    title: str | Meaning | None = None
    hint: str | None = None
    button: str | Meaning | None = None
    is_danger: bool = False
    reader: Callable[[Typed, Order], ExternalCommand] | None = None
    places: Mapping[str, str] = {}

    @property
    def rule(self) -> CommandRule:
        """The rule of its command."""
        return next(rule for rule in COMMANDS if rule.command is self.command)

    @property
    def action(self) -> str:
        """The action that must be allowed for the form to be shown: `accept_as_executed` for all decisions."""
        return list(self.rule.actions)[-1]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its fields in their order. Empty if it has a `reader`."""
        return tuple(_fields(self.command)) if self.reader is None else ()

    def read(self, name: str, typed: Typed, order: Order) -> ExternalCommand:
        """The command in the input of the form of this name.

        Raises:
            WrongForm: the input has errors.
            NoInChecklist: the checklist has a "no".
        """
        if self.reader is not None:
            return self.reader(typed, order)
        wrong = Wrong()
        values = {
            field.name: _read(field, f"{name}.{field.name}", typed, wrong) for field in self.fields
        }
        wrong.check()
        return cast(ExternalCommand, self.command(**values))


def _fields(command: type[Value]) -> Iterator[Field]:
    for name, hint in get_type_hints(command, include_extras=True).items():
        if name not in command.model_fields or name == "type":
            continue
        if get_origin(hint) is Literal:
            choices = get_args(hint)
            yield Field(name, "radio" if len(choices) <= _MOST_BUTTONS else "select", choices)
        elif hint in (date, date | None):
            yield Field(name, "day")
        elif hint in (Note, Reason):
            yield Field(name, "text" if hint == Note else "required_text")
        else:
            raise TypeError(f"{command.__name__}.{name} needs a reader of its own")


def _read(field: Field, place: str, typed: Typed, wrong: Wrong) -> object:
    match field.kind:
        case "radio" | "select":
            return read_choice(typed, place, field.choices, wrong)
        case "day":
            return read_day(typed.get(place), place, wrong)
        case "text":
            return read_note(typed, place, wrong)
        case "required_text":
            return read_required_note(typed, place, wrong)


def _requirements(typed: Typed, order: Order) -> ConfirmRequirements:
    wrong = Wrong()
    items = checklist(order.intake.placement.service.code)
    answers = {item: typed.get(f"requirements.checklist.{item}") for item in items}
    for item in items:
        if answers[item] == "no":
            raise NoInChecklist(REASON_OF[item])
    for item, answer in answers.items():
        if not answer:
            wrong[f"requirements.checklist.{item}"] = "item_missing"
    note = read_note(typed, "requirements.note", wrong)
    wrong.check()
    return ConfirmRequirements(checklist=dict(answers), note=note)


def _appointment(typed: Typed, order: Order) -> SetAppointment:
    wrong = Wrong()
    day = read_day(typed.get("appointment.day"), "appointment.day", wrong)
    last = typed.get("appointment.last_day").strip()
    last_day = read_day(last, "appointment.last_day", wrong) if last else day
    start_clock = read_clock(typed, "appointment.from", wrong)
    end_clock = read_clock(typed, "appointment.until", wrong)
    reason = read_note(typed, "appointment.reason", wrong)
    start = read_instant(order.calendar, day, start_clock, "appointment.from", wrong)
    end = read_instant(order.calendar, last_day, end_clock, "appointment.until", wrong, after=start)
    wrong.check()
    assert start is not None, "a missing value is an error"
    assert end is not None, "a missing value is an error"
    return SetAppointment(start=start, end=end, reason=reason)


def read_reassignment(typed: Typed) -> tuple[str, str]:
    """The id of the new partner and the reason. Raises `WrongForm`."""
    wrong = Wrong()
    partner_id = typed.get("reassign.partner_id").strip()
    if not partner_id:
        wrong["reassign.partner_id"] = "choose"
    reason = read_required_note(typed, "reassign.reason", wrong)
    wrong.check()
    return partner_id, reason


_SPECIAL: Mapping[str, OrderForm] = {
    "accept": OrderForm(
        Accept, mark("Auftrag akzeptiert. Als Nächstes rufen Sie die Kundschaft an.")
    ),
    "contact": OrderForm(LogContact, mark("Der Kontaktversuch ist festgehalten.")),
    "requirements": OrderForm(
        ConfirmRequirements,
        mark("Anforderungen bestätigt. Die Ware wird jetzt versandt."),
        reader=_requirements,
    ),
    "appointment": OrderForm(
        SetAppointment,
        mark("Der Kundentermin ist gespeichert."),
        reader=_appointment,
        places={"start": "day", "end": "until"},
    ),
    "execution": OrderForm(
        ConfirmExecution, mark("Ausführung bestätigt. Der Auftrag ist abgeschlossen.")
    ),
    "not-executed": OrderForm(
        ReportNotExecuted,
        mark("Gemeldet. Das Servicepartner-Team entscheidet, wie es weitergeht."),
        title=mark("Der Auftrag konnte nicht ausgeführt werden"),
        hint=mark("Das Servicepartner-Team klärt dann ab, wie es weitergeht."),
        is_danger=True,
    ),
    "rejection": OrderForm(
        RejectRequirements,
        mark("Gemeldet: Die Anforderungen sind nicht erfüllt. Der Auftrag ist storniert."),
        title=mark("Die Anforderungen sind nicht erfüllt"),
        hint=mark("Damit ist der Auftrag für Sie beendet: Er wird storniert."),
        button=mark("Nicht erfüllt melden und stornieren"),
        is_danger=True,
    ),
    "review": OrderForm(DecideReview, mark("Der Entscheid ist gespeichert.")),
    "cancel": OrderForm(
        Cancel,
        mark("Der Auftrag ist storniert."),
        title=pmark("Knopf", "Auftrag stornieren"),
        button=pmark("Knopf", "Auftrag stornieren"),
        is_danger=True,
    ),
}
_PLAIN: Mapping[str, OrderForm] = {
    rule.type.replace("_", "-"): OrderForm(rule.command)
    for rule in COMMANDS
    if rule.is_partners and rule.command not in {form.command for form in _SPECIAL.values()}
}
PLAIN_FORMS = tuple(_PLAIN)
"""The forms of the partner's other commands, without exceptions. Each is named after its command."""
FORMS: Mapping[str, OrderForm] = {**_SPECIAL, **_PLAIN}
"""The forms by their names, which are also the last part of their address."""
