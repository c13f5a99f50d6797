"""The page of one order: the data for the call to the customer, the forms for what is possible now, the timeline."""

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple, get_args
from urllib.parse import quote

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from domain.actors import Role
from domain.orders.access import why_not
from domain.orders.codes import Decision
from domain.orders.command_rules import COMMANDS
from domain.orders.order import Appointment, Order, Status
from domain.values import Language
from records.orders import StoredOrder
from use_cases import access
from use_cases.principal import Principal
from web.portal.formats import language_name, local
from web.portal.orders.common import contact_links, find, order_use_cases
from web.portal.orders.fields import LONGEST_NOTE, message
from web.portal.orders.forms import FORMS, PLAIN_FORMS, Field, OrderForm
from web.portal.orders.ics import MEDIA_TYPE, appointment_ics
from web.portal.pages import Form, error_page, page, reader_language, redirect, require_login
from words import action_label, outcome_label, reason_label, refusal_reason
from words.order_view import order_view
from words.translations import TRANSLATIONS, say

router = APIRouter(include_in_schema=False)

_NO_FORM = Form([])
_LABEL_OF: Mapping[str, Callable[[Any, Language], str]] = {
    "decision": action_label,
    "outcome": outcome_label,
}
"""The function that labels the codes of a field; `reason_label` for all others."""
_PARTNERS = tuple(rule.type for rule in COMMANDS if rule.is_partners)
_ACTIONS_OF: Mapping[Role | None, tuple[str, ...]] = {
    "partner": _PARTNERS,
    "operations": (*_PARTNERS, "reassign", *get_args(Decision)),
}
_ACTION_OF_FORM: Mapping[str, str] = {
    **{name: form.action for name, form in FORMS.items()},
    "reassign": "reassign",
}


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
    def of(cls, field: Field, language: Language) -> "ShownField":
        """A field with its texts."""
        label_of = _LABEL_OF.get(field.name, reason_label)
        options = [(code, label_of(code, language)) for code in field.choices]
        return cls(field.name, field.kind, say(language, field.label), options)


class ShownForm(NamedTuple):
    """A form in the reader's language."""

    action: str
    title: str
    hint: str
    button: str
    is_danger: bool
    fields: list[ShownField]

    @classmethod
    def of(cls, form: OrderForm, language: Language) -> "ShownForm":
        """A form with its texts."""
        label = action_label(form.action, language)
        return cls(
            form.action,
            say(language, form.title) if form.title else label,
            say(language, form.hint) if form.hint else "",
            say(language, form.button) if form.button else label,
            form.is_danger,
            [ShownField.of(field, language) for field in form.fields],
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
    """The appointment as a calendar file, while it is to take place."""
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
    use_cases = order_use_cases(request)
    now, language = use_cases.now, reader_language(request, principal)
    wanted = _ACTION_OF_FORM.get(sent.opened or "")
    if wanted is not None and (code := why_not(order, wanted)) is not None:
        # Meanwhile the action became impossible, so the page has no form that could show the errors.
        sent = RejectedForm(problem=refusal_reason(wanted, code, order.status, language))
    role = access.viewing_role(principal)
    view = order_view(order, found.events, now, language, role)
    actions = _ACTIONS_OF.get(role, ())
    texts = TRANSLATIONS[language]
    values: dict[str, Any] = {
        "view": view,
        "order": order,
        "now": now,
        "contact_links": contact_links(view.customer),
        "customer_language": language_name(view.customer.language, language),
        "may": frozenset(view.allowed),
        "blocked": [
            Blocked(action, refusal_reason(action, code, order.status, language))
            for action in actions
            if (code := why_not(order, action)) is not None
        ],
        "last_contact": _last_contact(view.timeline),
        "sent": sent,
        "errors": {f: message(code, language, texts.gettext) for f, code in sent.codes.items()},
        "appointment_stands": _appointment_stands(order),
        "appointment_fields": AppointmentFields.of(view.appointment),
        "proposed": _proposed_day(order, now),
        "today": local(now).date(),
        # The actions that move the order on. Cancelling and reassigning do not count as something to do.
        "steps": [action for action in view.allowed if action not in ("cancel", "reassign")],
        "plain_forms": PLAIN_FORMS,
        "forms": {name: ShownForm.of(form, language) for name, form in FORMS.items()},
        "longest": LONGEST_NOTE,
        "partners": (),
        "temporal_link": None,
    }
    if principal.role == "operations":
        values["temporal_link"] = _temporal_link(request, order.sp_id)
        if "reassign" in view.allowed:
            known = await request.app.state.accounts.partners.list("active")
            values["partners"] = [
                (p.partner_id, p.name) for p in known if p.partner_id != view.partner_id
            ]
    return page(request, "orders/order", status, principal=principal, **values)


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


def _last_contact(timeline: tuple[Any, ...]) -> Any:
    """The last entry of the timeline about a contact with the customer; None if there is none."""
    return next((entry for entry in reversed(timeline) if entry.type == "contact_logged"), None)


def _temporal_link(request: Request, sp_id: str) -> str:
    """The address of the order's workflow in the Temporal UI."""
    state = request.app.state
    base, namespace = state.settings.temporal_ui_url.rstrip("/"), state.temporal.namespace
    return f"{base}/namespaces/{quote(namespace, safe='')}/workflows/{quote(sp_id, safe='')}"
