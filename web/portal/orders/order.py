"""The page of one order: the data for the call to the customer, the forms of the allowed actions, the timeline."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from documents.appointment import MEDIA_TYPE, appointment_ics
from domain import rules
from domain.actors import Role
from domain.orders.access import why_not
from domain.orders.command_rules import COMMANDS
from domain.orders.order import Appointment, Order, Status
from domain.values import Language
from records.orders import StoredOrder
from records.partners import Partner
from use_cases import access
from use_cases.account_errors import NotFound
from use_cases.principal import Principal
from use_cases.related import RelatedOrders
from web.portal.device import kept_on_device, refusal_header
from web.portal.formats import language_name, local
from web.portal.orders.another_day import wish_values
from web.portal.orders.assignment import assignment_values
from web.portal.orders.common import contact_links, find, order_use_cases
from web.portal.orders.fields import LONGEST_NOTE, message
from web.portal.orders.for_operations import operations_values
from web.portal.orders.forms import NAMES, PLAIN_FORMS, Field, OrderForm, forms_of
from web.portal.orders.messages import message_values
from web.portal.orders.on_site import on_site_values
from web.portal.orders.proposals import WINDOWS, proposals
from web.portal.orders.readers import decisions
from web.portal.orders.reminders import reminder_values
from web.portal.pages import Form, error_page, page, reader_language, redirect, require_login
from web.portal.staff.traces import HOW
from words import action_label, outcome_label, reason_label, refusal_reason
from words.order_view import OrderView, TimelineEntry, order_view
from words.translations import TRANSLATIONS, say

router = APIRouter(include_in_schema=False)

_NO_FORM = Form([])
_LABEL_OF: Mapping[str, Callable[[Any, Language], str]] = {
    "outcome": outcome_label,
}
"""The function that labels the codes of a field; `reason_label` for all others."""
_PASSIVE = (
    Status.AWAITING_PAYMENT,
    Status.IN_TRANSMISSION,
    Status.UNASSIGNED,
    Status.REQUIREMENTS_MET,
    Status.ON_HOLD,
    Status.COMPLETED,
    Status.BILLED,
    Status.CANCELLED,
)
"""The states in which nothing has to be done on this page, though something may be possible."""
_REVIEWED = (Status.UNDER_REVIEW, Status.ON_HOLD)
_REPORTS = ("not_executed", "problem_reported", "requirements_rejected")
_LOST = ("declined", "unassigned")


class Blocked(NamedTuple):
    """An action that is not possible now, and the reason."""

    action: str
    why: str


class AppointmentFields(NamedTuple):
    """The values of the appointment form's fields; empty without an appointment."""

    day: str = ""
    start: str = ""
    end: str = ""
    last_day: str = ""

    @classmethod
    def of(cls, appointment: Appointment | None) -> "AppointmentFields":
        """The values for an appointment in local time."""
        if appointment is None:
            return cls()
        day, last_day = f"{appointment.start:%Y-%m-%d}", f"{appointment.end:%Y-%m-%d}"
        start, end = f"{appointment.start:%H:%M}", f"{appointment.end:%H:%M}"
        return cls(day, start, end, "" if last_day == day else last_day)


class ShownField(NamedTuple):
    """A field of a form in the reader's language. `options` are pairs of a code and its label."""

    name: str
    kind: str
    label: str
    options: list[tuple[str, str]]

    @classmethod
    def of(
        cls, field: Field, language: Language, reasons: tuple[str, ...] | None = None
    ) -> "ShownField":
        """A field with its texts. `reasons` are those that the order takes now, if not all of the field's."""
        label_of = _LABEL_OF.get(field.name, reason_label)
        choices = reasons if reasons is not None and field.name == "reason" else field.choices
        options = [(code, label_of(code, language)) for code in choices]
        return cls(field.name, field.kind, say(language, field.label), options)


class ShownForm(NamedTuple):
    """A form in the reader's language."""

    action: str
    title: str
    hint: str
    button: str
    is_danger: bool
    fields: list[ShownField]
    reasons: list[tuple[str, str]]

    @classmethod
    def of(cls, form: OrderForm, order: Order, now: datetime, language: Language) -> "ShownForm":
        """A form with its texts, and the choices that the order takes now."""
        action = form.action(order.rules)
        label = action_label(action, language)
        reasons = form.reasons(order, now) if form.reasons else None
        return cls(
            action,
            say(language, form.title) if form.title else label,
            say(language, form.hint) if form.hint else "",
            say(language, form.button) if form.button else label,
            form.is_danger,
            [ShownField.of(field, language, reasons) for field in form.fields],
            [(code, reason_label(code, language)) for code in reasons or ()],
        )


class RejectedForm(NamedTuple):
    """A form of the page that was not accepted.

    `codes` says what is wrong with each field, `problem` what is wrong with the form as a whole. `opened` names the
    form to show open. `filled` has values that replace the input of some fields.
    """

    form: Form = _NO_FORM
    codes: Mapping[str, str] = {}
    problem: str | None = None
    opened: str | None = None
    filled: Mapping[str, str] = {}

    def value(self, name: str, default: str = "") -> str:
        """The value that a field shows."""
        if name in self.filled:
            return self.filled[name]
        return self.form.get(name) if name in self.form else default


@router.get("/orders/{sp_id}")
async def order_page(request: Request, sp_id: str) -> Response:
    """The page of an order."""
    principal = await require_login(request, "partner", "operations", "accounting")
    return await show(request, principal, await find(request, principal, sp_id))


@router.get("/orders/{sp_id}/appointment.ics")
async def appointment(request: Request, sp_id: str) -> Response:
    """The appointment as a calendar file, while it stands."""
    principal = await require_login(request, "partner", "operations")
    order = (await find(request, principal, sp_id)).order
    public_url = request.app.state.settings.public_url
    made = appointment_ics(order, order_use_cases(request).now, public_url)
    if made is None or not _appointment_stands(order):
        return error_page(request, 404)
    name = re.sub(r"[^A-Za-z0-9._-]", "_", order.sp_id)
    return Response(
        made,
        media_type=MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{name}.ics"'},
    )


@router.get("/orders/{sp_id}/{form_name}")
async def back_to_order(request: Request, sp_id: str, form_name: str) -> Response:
    """Redirect a person who opens the address of a form, such as by reloading its answer."""
    await require_login(request, "partner", "operations", "accounting")
    return redirect(request, f"/orders/{quote(sp_id, safe='')}")


async def show(
    request: Request,
    principal: Principal,
    found: StoredOrder,
    status: int = 200,
    sent: RejectedForm | None = None,
) -> HTMLResponse:
    """The page of an order as it is now. `sent` is a form that was not accepted."""
    order, sent = found.order, sent or RejectedForm()
    now, language = order_use_cases(request).now, reader_language(request, principal)
    related: RelatedOrders = request.app.state.related_orders
    forms = forms_of(order.rules)
    wanted = _action_of_form(sent.opened, order)
    if wanted is not None and (code := why_not(order, wanted)) is not None:
        # The action is no longer possible, so the page has no form that could show the errors.
        sent = RejectedForm(problem=refusal_reason(wanted, code, order.status, language))
    role = access.viewing_role(principal)
    view = order_view(order, found.events, now, language, role)
    view = view.model_copy(update={"allowed": access.own_actions(principal, view.allowed)})
    texts = TRANSLATIONS[language]
    may = frozenset(view.allowed)
    values: dict[str, Any] = {
        "view": view,
        "order": order,
        "now": now,
        "contact_links": contact_links(view.customer),
        "customer_language": language_name(view.customer.language, language),
        "may": may,
        "blocked": [
            Blocked(action, refusal_reason(action, code, order.status, language))
            for action in access.own_actions(principal, _actions_of(role, order))
            if (code := why_not(order, action)) is not None
            if code != "wrong_state"  # the page shows the state already
        ],
        "last_contact": _last(view.timeline, "contact_logged"),
        "report": _last(view.timeline, *_REPORTS) if order.status in _REVIEWED else None,
        "lost": _last(view.timeline, *_LOST) if order.status is Status.UNASSIGNED else None,
        "executed": _last(view.timeline, "execution_confirmed"),
        "decisions": _decisions(order, may, language),
        "begun": order.appointment is None or order.appointment.start <= now,
        "goods_missing": order.rules >= 2 and not (order.shipment and order.shipment.received_at),
        "clashes": await related.clashes(principal, order),
        "siblings": await related.siblings(principal, order),
        "sent": sent,
        "errors": {f: message(code, language, texts.gettext) for f, code in sent.codes.items()},
        "error_names": {
            f: say(language, name) for f in sent.codes if (name := NAMES.get(f.partition(".")[2]))
        },
        "proposed_days": await proposals(request, principal, order, now, language)
        if "set_appointment" in may
        else [],
        "windows": WINDOWS,
        **await reminder_values(request, principal, order, now, language),
        **await message_values(request, principal, order, language),
        **await on_site_values(request, principal, order, language),
        **await wish_values(request, principal, order),
        **await assignment_values(request, principal, order),
        "appointment_stands": _appointment_stands(order),
        "appointment_fields": AppointmentFields.of(view.appointment),
        "proposed": _proposed_day(order, now),
        "today": local(now).date(),
        "local": local,
        # Cancelling and reassigning do not count as something to do.
        "is_passive": order.status in _PASSIVE
        or not [action for action in view.allowed if action not in ("cancel", "reassign")],
        "plain_forms": PLAIN_FORMS,
        "forms": {n: ShownForm.of(form, order, now, language) for n, form in forms.items()},
        "longest": LONGEST_NOTE,
        "receiver": await _receiver(request, view),
        "how_looked": HOW,
        **await operations_values(request, principal, order, may, sent.opened, language),
    }
    headers = kept_on_device(principal) if status == 200 else None
    if sent.problem or sent.codes:
        refusals = [sent.problem or "", *values["errors"].values()]
        headers = refusal_header(request, " ".join(filter(None, refusals)))
    return page(request, "orders/order", status, principal=principal, headers=headers, **values)


def _appointment_stands(order: Order) -> bool:
    """Whether an appointment is agreed and still to be carried out."""
    return order.appointment is not None and order.status is Status.CONFIRM_EXECUTION


def _proposed_day(order: Order, now: datetime) -> date:
    """The day that the execution form proposes: the appointment's last day, but not later than today."""
    today = local(now).date()
    if order.appointment is None:
        return today
    # An appointment that ends at midnight ends on the day before.
    return min(today, local(order.appointment.end - timedelta(seconds=1)).date())


def _last(timeline: tuple[TimelineEntry, ...], *types: str) -> TimelineEntry | None:
    """The last entry of the timeline of one of these types; None if there is none."""
    return next((entry for entry in reversed(timeline) if entry.type in types), None)


async def _receiver(request: Request, view: OrderView) -> Partner | None:
    """The partner that receives the goods, with its address; None if the customer does, or nobody has the order."""
    if view.deliver_to != "partner" or view.partner_id is None:
        return None
    try:
        partner: Partner = await request.app.state.accounts.partners.get(view.partner_id)
    except NotFound:
        return None
    return partner


def _action_of_form(name: str | None, order: Order) -> str | None:
    """The action that must be allowed for the page to have a form."""
    if name == "reassign":
        return name
    form = forms_of(order.rules).get(name or "")
    return form.action(order.rules) if form else None


def _actions_of(role: Role | None, order: Order) -> list[str]:
    """The actions that this role can ever take under the order's rules: the partner's actions, and the decisions."""
    holding = list(rules.holding(COMMANDS, order.rules))
    partners = [rule.type for rule in holding if rule.is_partners]
    if order.rules >= 2:
        partners.remove("report_not_executed")  # the older name of `report_problem`
    match role:
        case "partner":
            return partners
        case "operations":
            return [*partners, "reassign", *decisions(order)]
        case _:
            return []


def _decisions(order: Order, may: frozenset[str], language: Language) -> list[tuple[str, str]]:
    """The decisions that are possible now, without `cancel`, which has its own button. Empty outside a review."""
    if order.status is not Status.UNDER_REVIEW:
        return []
    known = [*decisions(order), *(["reassign"] if order.rules >= 2 else [])]
    offered = [decision for decision in known if decision in may and decision != "cancel"]
    return [(decision, action_label(decision, language)) for decision in offered]
