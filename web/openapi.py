"""Adds to FastAPI's OpenAPI document: problems, the `Idempotency-Key` of each POST, examples."""

from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from pydantic.json_schema import models_json_schema

from web.api import examples, settlement_examples
from web.problems import DOCUMENTS

DESCRIPTION = """\
Partners and the retailer's systems talk to the service orders of the Company Management Interface here.

Every call but those of `health` needs `Authorization: Bearer <token>`. Times are ISO 8601 with an offset, money is text
(`"129.00"`), errors are `application/problem+json` (RFC 9457). An answer carries `X-Request-Id`: name it when you ask
for help. Where a role is partner, operations may act in the partner's place.
"""
TAGS = [
    {"name": "orders", "description": "Look at orders. For all but the warehouse."},
    {"name": "shop", "description": "What the shop does."},
    {"name": "warehouse", "description": "What the warehouse reports."},
    {"name": "partner", "description": "What a partner does, or operations in its place."},
    {
        "name": "settlements",
        "description": "The monthly settlement, from the selection to the checked invoice. For partners, operations "
        "and accounting.",
    },
    {"name": "operations", "description": "What operations decide."},
    {
        "name": "accounting",
        "description": "Approval and payment of invoices, and the tables to book from.",
    },
    {"name": "accounts", "description": "Partners, their logins and tokens. For operations."},
    {
        "name": "people",
        "description": "A partner's people, and whose order is whose. For the partner's office.",
    },
    {"name": "health", "description": "For whoever runs the service. No token needed."},
]
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "makes it safe to send again: the same key and body gives the first answer again; 422 with another "
    "body",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_MONEY = {"type": "string", "pattern": r"^\d{1,8}(\.\d{1,2})?$", "examples": ["129.00"]}
_SIGNED_MONEY = {**_MONEY, "pattern": r"^-?\d{1,8}(\.\d{1,2})?$"}


def install(app: FastAPI) -> None:
    """Complete the document when it is requested for the first time."""
    plain = app.openapi
    complete: dict[str, Any] = {}

    def openapi() -> dict[str, Any]:
        nonlocal complete
        document = plain()
        if document is not complete:
            _complete(document)
            complete = document
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _complete(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    _, problems = models_json_schema(
        [(model, "serialization") for model in DOCUMENTS],
        ref_template="#/components/schemas/{model}",
    )
    schemas |= problems["$defs"]
    for unused in ("HTTPValidationError", "ValidationError"):  # FastAPI's own error schemas
        schemas.pop(unused, None)
    for schema in schemas.values():
        for name, money in (("fee", _MONEY), ("amount", _SIGNED_MONEY)):
            field = schema.get("properties", {}).get(name)
            if field is not None:  # pydantic also accepts numbers; the API does not
                schema["properties"][name] = {"title": field["title"], **money}
        for example in schema.get("examples", []):  # FastAPI drops null values from examples
            if isinstance(example, dict):
                missing = [name for name in schema.get("required", []) if name not in example]
                example.update(dict.fromkeys(missing))
    order = examples.order().model_dump(mode="json")
    listed = {name: value for name, value in order.items() if name != "timeline"}
    settlement = settlement_examples.settlement().model_dump(mode="json")
    answered = {
        "SettlementView": settlement,
        "SettlementList": {"items": [settlement], "next_cursor": None},
        "InvoiceAnswer": settlement_examples.INVOICE,
        "ImportAnswer": settlement_examples.IMPORTED,
        "CorrectionAnswer": settlement_examples.CORRECTED,
        "CorrectionList": {"items": [settlement_examples.CORRECTED]},
        "OrderView": order,
        "OrderList": {"items": [listed], "next_cursor": None, "counts": {"check_requirements": 1}},
        "Accepted": {"sp_id": order["sp_id"], "stored": True},
        "Alive": {"status": "ok"},
        "Ready": {"status": "ready", "temporal": "ok", "database": "ok"},
        "ProblemDocument": _problem(404, "Not Found", "There is no such order."),
        "RefusalDocument": _problem(
            409,
            "Not allowed now",
            "“Accept order” is not possible while the order is at “Check requirements”. Possible now: Log contact, …",
            allowed=["log_contact", "confirm_requirements", "reject_requirements"],
            order_status="check_requirements",
            code="wrong_state",
        ),
        "InvalidDocument": _problem(
            422,
            "Malformed",
            "The request is malformed.",
            errors=[{"field": "customer.email", "message": "is missing"}],
        ),
    }
    for method, operation in _operations(document):
        if method == "post" and "security" in operation:
            operation.setdefault("parameters", []).append(_KEY)
        for status, response in operation["responses"].items():
            for content in response.get("content", {}).values():
                name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
                if name in answered and "example" not in content:
                    example = answered[name]
                    if name == "ProblemDocument":
                        example = {**example, **_PLAIN_PROBLEMS.get(status, {})}
                    content["example"] = example


def _problem(status: int, title: str, detail: str, **extra: Any) -> dict[str, Any]:
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, **extra}


_PLAIN_PROBLEMS = {
    str(status): {"status": status, "title": title, "detail": detail}
    for status, title, detail in (
        (401, "Not authenticated", "This token is not known, or not any more."),
        (403, "Forbidden", "This is not for the role warehouse."),
        (404, "Not Found", "There is no such order."),
        (410, "Gone", "The file was deleted; its checksum and its verdict are kept."),
        (413, "Content Too Large", "The body is larger than this call takes."),
        (500, "Internal Server Error", "Something went wrong here; X-Request-Id names the call."),
        (503, "Away", "Temporal is away just now; please try again."),
    )
}


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in document["paths"].values():
        yield from path.items()
