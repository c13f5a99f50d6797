"""Rewrites values as another release would have written them: with more fields at every depth, or fewer."""

import importlib
import json
import pkgutil
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from types import ModuleType
from typing import Any, get_type_hints

from pydantic import BaseModel, TypeAdapter
from sqlalchemy import Column, select, update
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowHistory

import activities
from contracts import names
from contracts.messages import Answer, Checked, InvoiceWanted, SettlementAnswer, Upload
from domain.orders.events import Event
from domain.orders.request import Request
from domain.settlements.commands import SettlementRequest
from domain.settlements.events import SettlementEvent
from domain.settlements.settlement import Settlement
from records import tables
from records.database import Database
from records.order_rows import _pinned as pinned_of
from records.order_rows import order_of
from worker import WORKFLOWS

ADDED = "of_a_newer_build"
Rewrite = Callable[[Any, Any], Any]


def more(value: Any, written: Any) -> Any:
    """The JSON of a value as a newer process would have written it: each object has one more field."""
    rewritten = _within(value, written, more)
    return {**rewritten, ADDED: [{"x": 1}, None]} if isinstance(value, BaseModel) else rewritten


def fewer(value: Any, written: Any) -> Any:
    """The JSON as an older process would have written it: without fields that have their default value."""
    return _without(value, _within(value, written, fewer), also_set=False)


def fewest(value: Any, written: Any) -> Any:
    """The JSON without all fields that have a default, whatever their value."""
    return _without(value, _within(value, written, fewest), also_set=True)


def _without(value: Any, written: Any, *, also_set: bool) -> Any:
    if not isinstance(value, BaseModel):
        return written
    fields = type(value).model_fields
    optional = {
        name
        for name, field in fields.items()
        if name != "type" and not field.is_required()  # `type` selects one of several classes
        if also_set or getattr(value, name) == field.get_default(call_default_factory=True)
    }
    return {name: part for name, part in written.items() if name not in optional}


def _within(value: Any, written: Any, rewrite: Rewrite) -> Any:
    match value:
        case BaseModel():
            return {key: rewrite(_field(value, key), part) for key, part in written.items()}
        case tuple() | list():
            return [rewrite(*pair) for pair in zip(value, written, strict=True)]
        case dict():
            parts = zip(value.values(), written.items(), strict=True)
            return {name: rewrite(each, part) for each, (name, part) in parts}
        case _:
            return written


def _field(value: BaseModel, key: str) -> Any:
    return getattr(value, _names(type(value)).get(key, key))


@cache
def _names(kind: type[BaseModel]) -> dict[str | None, str]:
    """The names of a model's fields by their names in JSON, where these differ."""
    return {field.serialization_alias: name for name, field in kind.model_fields.items()}


@cache
def adapter_of(kind: Any) -> TypeAdapter[Any]:
    """What reads and writes values of a type, made once."""
    return TypeAdapter(kind)


# --- the values of a history -----------------------------------------------------------------------------------------


def payloads(history: WorkflowHistory) -> Iterator[tuple[str, Payload, Any]]:
    """The payloads of our values in a history: what each is, the payload, and its type."""
    workflow, scheduled, updates = "", {}, {}
    for event in history.events:
        which = event.WhichOneof("attributes")
        facts = getattr(event, which)
        match which:
            case "workflow_execution_started_event_attributes":
                workflow = facts.workflow_type.name
                yield from _each("input", facts.input.payloads, _RUNS[workflow][0])
            case "workflow_execution_continued_as_new_event_attributes":
                yield from _each("next input", facts.input.payloads, _RUNS[workflow][0])
            case "workflow_execution_completed_event_attributes":
                yield from _each("result", facts.result.payloads, _RUNS[workflow][1])
            case "workflow_execution_signaled_event_attributes":
                yield from _each(facts.signal_name, facts.input.payloads, Request)
            case "workflow_execution_update_accepted_event_attributes":
                asked = facts.accepted_request.input
                updates[facts.accepted_request.meta.update_id] = asked.name
                yield from _each(asked.name, asked.args.payloads, _update(workflow, asked.name)[0])
            case "workflow_execution_update_completed_event_attributes":
                name = updates[facts.meta.update_id]
                answer = facts.outcome.success.payloads
                yield from _each(f"{name} done", answer, _update(workflow, name)[1])
            case "activity_task_scheduled_event_attributes":
                name = scheduled[event.event_id] = facts.activity_type.name
                yield from _each(name, facts.input.payloads, _ACTIVITIES[name][0])
            case "activity_task_completed_event_attributes":
                name = scheduled[facts.scheduled_event_id]
                yield from _each(f"{name} done", facts.result.payloads, _ACTIVITIES[name][1])


def rewritten(history: WorkflowHistory, rewrite: Rewrite) -> WorkflowHistory:
    """A copy of a history, as another release would have written it."""
    copy = WorkflowHistory(history.workflow_id, deepcopy(list(history.events)))
    for _, payload, kind in payloads(copy):
        value = adapter_of(kind).validate_json(payload.data)
        payload.data = json.dumps(rewrite(value, json.loads(payload.data))).encode()
    return copy


def _each(what: str, found: Any, kind: Any) -> Iterator[tuple[str, Payload, Any]]:
    for payload in found:
        if payload.metadata["encoding"] == b"json/plain":
            yield what, payload, kind


def _update(workflow: str, name: str) -> tuple[Any, Any]:
    if workflow == names.SERVICE_ORDER:
        return Request, Answer
    return {
        names.COMMAND: (SettlementRequest, SettlementAnswer),
        names.CHECK_INVOICE: (Upload, Checked),
        names.MAKE_INVOICE: (InvoiceWanted, Checked),
        names.MAKE_DRAFT: (None, str),
    }[name]


def _signature(function: Any) -> tuple[Any, Any]:
    hints = get_type_hints(function)
    result = hints.pop("return")
    return next(iter(hints.values())), result


def _activities() -> Iterator[tuple[str, tuple[Any, Any]]]:
    for found in pkgutil.iter_modules(activities.__path__, "activities."):
        for holder in _holders(importlib.import_module(found.name)):
            for function in vars(holder).values():
                definition = getattr(function, "__temporal_activity_definition", None)
                if definition is not None:
                    yield definition.name, _signature(function)


def _holders(module: ModuleType) -> list[Any]:
    return [module, *(each for each in vars(module).values() if isinstance(each, type))]


_ACTIVITIES = dict(_activities())
_RUNS = {
    workflow.__temporal_workflow_definition.name: _signature(workflow.run)  # type: ignore[attr-defined]
    for workflow in WORKFLOWS
}


# --- rows ------------------------------------------------------------------------------------------------------------


async def rewrite_rows(database: Database, rewrite: Rewrite) -> int:
    """Rewrite all JSON columns of orders and settlements as another release would. Returns how many."""
    events: TypeAdapter[Event] = TypeAdapter(Event)
    settlements, settlement_events = TypeAdapter(Settlement), TypeAdapter(SettlementEvent)
    count = 0
    async with database.writing() as connection:

        async def each(column: Column[str], read: Callable[[Any], Any]) -> None:
            nonlocal count
            keys = column.table.primary_key.columns
            for row in (await connection.execute(select(column.table))).all():
                text = json.dumps(rewrite(read(row), json.loads(row._mapping[column])))
                this = [key == row._mapping[key] for key in keys]
                await connection.execute(update(column.table).where(*this).values({column: text}))
                count += 1

        pinned = {
            row.sp_id: row.pinned for row in (await connection.execute(select(tables.documents)))
        }
        await each(
            tables.documents.c.document,
            lambda row: order_of(row.document, pinned[row.sp_id]),
        )
        await each(tables.documents.c.pinned, lambda row: pinned_of(row.pinned))
        await each(tables.timeline.c.data, lambda row: events.validate_json(row.data))
        await each(
            tables.settlement_documents.c.document,
            lambda row: settlements.validate_json(row.document),
        )
        await each(
            tables.settlement_timeline.c.data,
            lambda row: settlement_events.validate_json(row.data),
        )
    return count
