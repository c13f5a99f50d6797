"""The forms of an order's page: what was typed becomes a command, or a message beside each field that is wrong.

A form follows from its command: its fields are read and shown by their types. `FORMS` says what is different. A field
is named after its form, `appointment.day`, since several forms stand on one page.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Literal, NamedTuple, cast, get_args, get_origin, get_type_hints

from domain.fields import Note, Reason
from domain.orders.catalogue import checklist
from domain.orders.codes import ChecklistItem, RejectionReason
from domain.orders.commands import (
    COMMANDS,
    Accept,
    Cancel,
    CommandRule,
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
"""Why requirements are rejected if an item of the checklist is a no."""

LABELS: Mapping[str, str] = {
    "decision": mark("Wie geht es weiter?"),
    "executed_on": mark("Ausgeführt am"),
    "note": mark("Bemerkung"),
    "outcome": mark("Haben Sie die Kundschaft erreicht?"),
    "reason": mark("Grund"),
}
"""What the fields of commands are called."""
_MOST_BUTTONS = 4


class SaidNo(Exception):
    """The checklist holds a "no": that is a rejection, which has to be confirmed. `reason` is the one that fits."""

    def __init__(self, reason: RejectionReason) -> None:
        self.reason = reason
        super().__init__(reason)


class Field(NamedTuple):
    """A field of a form, as it is shown. `choices` are the codes among which one chooses."""

    name: str
    kind: Literal["radio", "select", "day", "text", "required_text"]
    choices: tuple[str, ...] = ()

    @property
    def label(self) -> str:
        """What it is called, marked for translation."""
        return LABELS[self.name]


class OrderForm(NamedTuple):
    """A form of an order's page.

    Attributes:
        command: what it gives.
        said: what the next page says.
        title, hint, button: over the form, below its title, and on its button; the first and the last are the label of
            the action if nothing else is said.
        is_danger: whether its button ends something.
        reader: how its command is read, if not field by field.
        places: where fields of the command stand in the form, if they are called otherwise there.
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
        """The row of its command."""
        return next(rule for rule in COMMANDS if rule.command is self.command)

    @property
    def action(self) -> str:
        """The action by which it is known whether the form is there: `accept_as_executed` for all decisions."""
        return list(self.rule.actions)[-1]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its fields, in their order. None if it has a way of its own to be read."""
        return tuple(_fields(self.command)) if self.reader is None else ()

    def read(self, name: str, typed: Typed, order: Order) -> ExternalCommand:
        """The command that was typed into the form of this name.

        Raises:
            WrongForm: it is none yet.
            SaidNo: the checklist holds a no.
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
            raise SaidNo(REASON_OF[item])
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
    assert start is not None, "what is missing is wrong"
    assert end is not None, "what is missing is wrong"
    return SetAppointment(start=start, end=end, reason=reason)


def read_reassignment(typed: Typed) -> tuple[str, str]:
    """To which partner an order is handed, and why. Raises `WrongForm`."""
    wrong = Wrong()
    partner_id = typed.get("reassign.partner_id").strip()
    if not partner_id:
        wrong["reassign.partner_id"] = "choose"
    reason = read_required_note(typed, "reassign.reason", wrong)
    wrong.check()
    return partner_id, reason


_OWN: Mapping[str, OrderForm] = {
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
    if rule.is_partners and rule.command not in {form.command for form in _OWN.values()}
}
PLAIN_FORMS = tuple(_PLAIN)
"""The forms of the partner's other commands, each named after its command: nothing is different in them."""
FORMS: Mapping[str, OrderForm] = {**_OWN, **_PLAIN}
"""The forms by their names, which are also the last part of the address that they are sent to."""
