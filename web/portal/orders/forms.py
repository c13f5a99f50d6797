"""The forms of an order's page: the input becomes a command, or a message beside each wrong field.

A form follows from its command: the type of a field decides how it is shown and read. `FORMS` has the exceptions. The
name of a field begins with its form, `appointment.day`, because a page has several forms.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Literal, NamedTuple, cast, get_args, get_origin, get_type_hints

from domain import rules
from domain.fields import Note, Reason
from domain.orders.command_rules import COMMANDS, CommandRule
from domain.orders.commands import (
    Accept,
    Cancel,
    ConfirmExecution,
    ConfirmRequirements,
    DecideReview,
    Decline,
    ExternalCommand,
    LogContact,
    RejectRequirements,
    Reopen,
    ReportNotExecuted,
    ReportProblem,
    Resume,
    SetAppointment,
    Undo,
    WithdrawProblem,
)
from domain.orders.order import Order
from domain.orders.shipment import GoodsReceived
from domain.values import Value
from web.portal.orders import possible, readers
from web.portal.orders.fields import (
    Typed,
    Wrong,
    read_choice,
    read_day,
    read_note,
    read_optional_day,
    read_required_note,
)
from words.translations import Meaning, mark, pmark

LABELS: Mapping[str, str] = {
    "note": mark("Bemerkung"),
    "outcome": mark("Haben Sie die Kundschaft erreicht?"),
    "reason": mark("Grund"),
    "until": mark("Bis wann?"),
}
"""The labels of the fields."""
NAMES: Mapping[str, str] = {
    **LABELS,
    "day": mark("Datum"),
    "from": mark("Beginn"),
    "last_day": mark("Letzter Tag"),
    "moved_by": mark("Wer möchte den Termin verschieben?"),
    "executed_on": mark("Ausgeführt am"),
    "time": mark("Uhrzeit"),
    "partner_id": mark("Neuer Servicepartner"),
    "decision": mark("Wie geht es weiter?"),
}
"""The names of fields in the list of a form's errors, by the last part of the field's name."""
_MOST_BUTTONS = 4


class Field(NamedTuple):
    """A field of a form. `choices` are the codes to choose from."""

    name: str
    kind: Literal["radio", "select", "day", "optional_day", "check", "text", "required_text"]
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
        notice: the code of that notice, if it is not the name of the form.
        title, hint, button: the texts above the form, below its title, and on its button. Title and button are the
            label of the action by default.
        is_danger: whether its button ends something.
        reader: reads the command, if it is not read field by field.
        places: the fields of the command that have another name in the form, with that name.
        reasons: the reasons that the order takes now, if not each of the command's.
        until: the last version of the rules under which the page has the form.
    """

    command: type[Value]
    said: str = mark("Das ist gespeichert.")
    notice: str | None = None
    title: str | Meaning | None = None
    hint: str | None = None
    button: str | Meaning | None = None
    is_danger: bool = False
    reader: Callable[[Typed, Order, datetime], ExternalCommand] | None = None
    places: Mapping[str, str] = {}
    reasons: Callable[[Order, datetime], tuple[str, ...]] | None = None
    until: int | None = None

    def rule(self, version: int) -> CommandRule | None:
        """The rule of its command under a version of the rules; None if that has no such command."""
        holding = rules.holding(COMMANDS, version)
        return next((rule for rule in holding if rule.command is self.command), None)

    def action(self, version: int) -> str:
        """The action that must be allowed for the form to be shown: the last one of all decisions."""
        rule = self.rule(version)
        return list(rule.actions)[-1] if rule else ""

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its fields in their order. Empty if it has a `reader`."""
        return tuple(_fields(self.command)) if self.reader is None else ()

    def read(self, name: str, typed: Typed, order: Order, now: datetime) -> ExternalCommand:
        """The command in the input of the form of this name.

        Raises:
            WrongForm: the input has errors.
            NoInChecklist: the checklist has a "no".
        """
        if self.reader is not None:
            return self.reader(typed, order, now)
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
            yield Field(name, "day" if hint is date else "optional_day")
        elif hint is bool:
            yield Field(name, "check")
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
        case "optional_day":
            return read_optional_day(typed, place, wrong)
        case "check":
            return typed.get(place) == "yes"
        case "text":
            return read_note(typed, place, wrong)
        case "required_text":
            return read_required_note(typed, place, wrong)


_DECIDES = mark("Gemeldet. Das Servicepartner-Team entscheidet, wie es weitergeht.")
_CLARIFIES = mark("Das Servicepartner-Team klärt dann ab, wie es weitergeht.")
_SPECIAL: Mapping[int, Mapping[str, OrderForm]] = {
    1: {
        "accept": OrderForm(
            Accept, mark("Auftrag akzeptiert. Als Nächstes rufen Sie die Kundschaft an.")
        ),
        "contact": OrderForm(LogContact, mark("Der Kontaktversuch ist festgehalten.")),
        "requirements": OrderForm(
            ConfirmRequirements,
            mark("Anforderungen bestätigt. Die Ware wird jetzt versandt."),
            reader=readers.requirements,
        ),
        "appointment": OrderForm(
            SetAppointment,
            mark("Der Kundentermin ist gespeichert."),
            reader=readers.appointment,
            places={"start": "day", "end": "until"},
        ),
        "execution": OrderForm(
            ConfirmExecution,
            mark("Ausführung bestätigt. Der Auftrag ist abgeschlossen."),
            reader=readers.execution,
        ),
        "not-executed": OrderForm(
            ReportNotExecuted,
            _DECIDES,
            title=mark("Der Auftrag konnte nicht ausgeführt werden"),
            hint=_CLARIFIES,
            is_danger=True,
            until=1,  # from version 2 on only programs use it, as the older name of `report_problem`
        ),
        "rejection": OrderForm(
            RejectRequirements,
            mark("Gemeldet: Die Anforderungen sind nicht erfüllt. Der Auftrag ist storniert."),
            title=mark("Die Anforderungen sind nicht erfüllt"),
            hint=mark("Damit ist der Auftrag für Sie beendet: Er wird storniert."),
            button=mark("Nicht erfüllt melden und stornieren"),
            is_danger=True,
        ),
        "review": OrderForm(
            DecideReview, mark("Der Entscheid ist gespeichert."), reader=readers.review
        ),
        "cancel": OrderForm(
            Cancel,
            mark("Der Auftrag ist storniert."),
            title=pmark("Knopf", "Auftrag stornieren"),
            button=pmark("Knopf", "Auftrag stornieren"),
            is_danger=True,
        ),
    },
    2: {
        "decline": OrderForm(
            Decline,
            mark("Sie haben den Auftrag abgelehnt. Er ist nicht mehr Ihrer."),
            hint=mark("Das Servicepartner-Team teilt ihn dann jemand anderem zu."),
            is_danger=True,
        ),
        "receipt": OrderForm(
            GoodsReceived,
            mark("Der Erhalt der Ware ist gemeldet."),
            reader=readers.receipt,
            places={"received_at": "day"},
        ),
        "problem": OrderForm(
            ReportProblem,
            _DECIDES,
            hint=_CLARIFIES,
            is_danger=True,
            reader=readers.problem,
            reasons=possible.problem_reasons,
        ),
        "withdrawal": OrderForm(
            WithdrawProblem,
            mark("Die Meldung ist zurückgezogen. Der Auftrag geht weiter wie zuvor."),
        ),
        "resume": OrderForm(Resume, mark("Der Auftrag geht weiter.")),
        "undo": OrderForm(Undo, mark("Die Bestätigung ist zurückgenommen.")),
        "reopen": OrderForm(
            Reopen,
            mark("Der Abschluss ist zurückgenommen."),
            hint=mark("Die Ausführung muss danach noch einmal bestätigt werden."),
            is_danger=True,
        ),
        "rejection": OrderForm(
            RejectRequirements,
            _DECIDES,
            notice="problem",
            title=mark("Die Anforderungen sind nicht erfüllt"),
            hint=_CLARIFIES,
            is_danger=True,
            reasons=possible.rejection_reasons,
        ),
    },
}
_KNOWN = {form.command for forms in _SPECIAL.values() for form in forms.values()}
_PLAIN: Mapping[str, OrderForm] = {
    rule.type.replace("_", "-"): OrderForm(rule.command)
    for rule in COMMANDS
    if rule.is_partners and rule.command not in _KNOWN
}
PLAIN_FORMS = tuple(_PLAIN)
"""The forms of the partner's other commands, without exceptions. Each is named after its command."""
NOTICES: Mapping[str, str] = {
    form.notice or name: form.said
    for forms in ({**_PLAIN, **_SPECIAL[1]}, _SPECIAL[2])
    for name, form in forms.items()
}
"""The notices of the forms by their codes."""


def forms_of(version: int) -> Mapping[str, OrderForm]:
    """The forms of an order under a version of the rules by their names, the last part of their address."""
    forms = {**_PLAIN, **rules.under(_SPECIAL, version)}
    return {
        name: form for name, form in forms.items() if form.until is None or version <= form.until
    }
