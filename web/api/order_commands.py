"""The API's calls that give an order a command, made from the rows of `domain.orders.command_rules.COMMANDS`."""

import functools
import inspect
import operator
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Literal, get_type_hints

from fastapi import Body, Response
from fastapi.openapi.models import Example
from pydantic import Discriminator, Tag, create_model
from pydantic.fields import FieldInfo

from domain.fields import Instant
from domain.orders.command_rules import COMMANDS, CommandRule
from domain.values import Input
from use_cases.principal import Principal
from web.api.bodies import Accepted, Checklist, IsoDay, IsoInstant, Nothing
from web.api.orders import COMMAND_ANSWERS, OrderCallDep
from web.problems import documented
from web.security import GuardedRouter, may

router = GuardedRouter(strict_content_type=False)

_BODY_TYPES: Mapping[Any, Any] = {
    Instant: IsoInstant,
    Instant | None: IsoInstant | None,
    date: IsoDay,
    date | None: IsoDay | None,
    dict[str, str]: Checklist,
}
"""The stricter types that fields of a command have in a request body."""
_TAGS = {True: "<true>", False: "<false>"}


def body_model(rule: CommandRule) -> type[Input]:
    """The request body of a command: its fields, and the field that distinguishes it from another command if needed."""
    fields: dict[str, Any] = {}
    if rule.when is not None:
        name, value = rule.when
        fields[name] = ({True: Literal[True], False: Literal[False]}[value], ...)
    hints = get_type_hints(rule.command, include_extras=True)
    for name, field in _fields(rule).items():
        default = ... if field.is_required() else field.default
        fields[name] = (_BODY_TYPES.get(hints[name], hints[name]), default)
    if not fields:
        return Nothing
    return create_model(
        rule.command.__name__, __base__=Input, __doc__=rule.command.__doc__, **fields
    )


def _fields(rule: CommandRule) -> dict[str, FieldInfo]:
    return {name: field for name, field in rule.command.model_fields.items() if name != "type"}


def _either(by_model: Mapping[type[Input], CommandRule]) -> Any:
    """The type of a body that is one of several models, distinguished by a field that is true or false."""
    whens = {model: rule.when for model, rule in by_model.items() if rule.when is not None}
    ((field, _), *_others) = whens.values()

    def tag(value: Any) -> str | None:
        flag = value.get(field) if isinstance(value, dict) else getattr(value, field, None)
        return _TAGS[flag] if isinstance(flag, bool) else None

    models = tuple(Annotated[model, Tag(_TAGS[flag])] for model, (_, flag) in whens.items())
    return Annotated[
        functools.reduce(operator.or_, models),
        Discriminator(
            tag,
            custom_error_type="true_or_false",
            custom_error_message="must be true or false",
            custom_error_context={"field": field},
        ),
    ]


def _examples(rules: Iterable[CommandRule]) -> dict[str, Example]:
    """Example bodies from the examples of the commands' fields: as many as the field with the most examples."""
    found: dict[str, Example] = {}
    for rule in rules:
        given = {name: field.examples for name, field in _fields(rule).items() if field.examples}
        for number in range(max(map(len, given.values()), default=1)):
            body = dict([rule.when]) if rule.when else {}
            body |= {name: each[min(number, len(each) - 1)] for name, each in given.items()}
            found[f"example {len(found) + 1}"] = Example(value=body)
    return found


def _add(method: str, path: str, rules: list[CommandRule]) -> None:
    """Add the call for a path to the router. Several commands can share a path."""
    first = rules[0]
    by_model = {body_model(rule): rule for rule in rules}
    body_type: Any = _either(by_model) if len(rules) > 1 else next(iter(by_model))
    may_be_missing = first.when is None and not any(
        field.is_required() for field in _fields(first).values()
    )
    if may_be_missing:
        body_type |= None
    examples = _examples(rules)

    async def give(
        call: OrderCallDep,
        principal: Annotated[Principal, may(first.type)],
        body: Annotated[body_type, Body(openapi_examples=examples)],
    ) -> Response:
        rule = by_model.get(type(body), first)
        values: Any = {name: getattr(body, name) for name in _fields(rule)} if body else {}
        command: Any = rule.command(**values)
        if principal.role in rule.in_any_state:
            return await call.tell(principal, command)
        return await call.do(principal, command)

    if may_be_missing:
        give.__defaults__ = (None,)  # the default of `body`
    summary, _, description = inspect.cleandoc(first.command.__doc__ or "").partition("\n\n")
    options: dict[str, Any] = (
        {
            "status_code": 202,
            "response_model": Accepted,
            "responses": documented(401, 403, 404, 413, 422, 500, 503),
        }
        if set(first.in_any_state) == set(first.roles)
        else COMMAND_ANSWERS
    )
    router.add_api_route(
        f"/orders/{{sp_id}}/{path}",
        give,
        methods=[method],
        name=first.call or first.type,
        tags=[first.roles[0]],
        summary=summary.removesuffix("."),
        description=description,
        **options,
    )


def _by_call() -> dict[tuple[str, str], list[CommandRule]]:
    """The commands of each method and path. A command with several rows has its latest one."""
    found: dict[tuple[str, str], dict[type, CommandRule]] = {}
    for rule in COMMANDS:
        if rule.path is not None:
            found.setdefault((rule.method, rule.path), {})[rule.command] = rule
    return {call: list(rules.values()) for call, rules in found.items()}


for (_method, _path), _rules in _by_call().items():
    _add(_method, _path, _rules)
