"""The OpenAPI document: it is valid, complete, true (schemathesis), and its pages reach no other site."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tests.web.made_up_calls import Schemathesis, schemathesis
from tests.web.site import API, Site
from tests.web.test_access import DECIDED

pytestmark = pytest.mark.asyncio(loop_scope="session")

ONLY_CSV = {
    "GET /api/v1/reports/journal",
    "GET /api/v1/reports/accruals",
    "GET /api/v1/reports/lines",
}
ONLY_ZIP = {"GET /api/v1/reports/papers"}
ALSO_CSV = {"GET /api/v1/reports/deadlines"}
FILES = {"pdf": "application/pdf", "csv": "text/csv"}
"""What calls answer that give a file, by its ending."""
ONLY_JPEG = ("GET /api/v1/orders/{sp_id}/photos/{photo_id}",)
CONFIGURATION = """
[phases.coverage]
unexpected-methods = []  # the same lines refuse them on every path: tests/web/test_wrong_calls.py
# With ids that answers have, it would remove the tokens and logins of other tests.
[phases.coverage.extra-data-sources]
responses = false
[phases.fuzzing.extra-data-sources]
responses = false
"""
WITHOUT_PHASE = """
[[operations]]
include-name = {calls}
phases.{phase}.enabled = false
"""
CALLERS = ("operations", "shop", "partner", "accounting", "warehouse")


def calls_of(role: str) -> tuple[list[str], list[str]]:
    """The calls that a role makes, each that it may make and no role before it; and the lists that it may read, too.

    Before its body is read, a call is refused to a role that may not make it: tests/web/test_access.py. What a partner
    is shown of one order has the same fields as in its lists, which it reads here.
    """
    before = set(CALLERS[: CALLERS.index(role)])
    own = [call for call, roles in DECIDED.items() if role in roles and not roles & before]
    lists = [
        call
        for call, roles in DECIDED.items()
        if role in roles and roles & before and call.startswith("GET") and "{" not in call
    ]
    return own, lists


@pytest.fixture(scope="module")
def made_up_calls() -> Iterator[Schemathesis]:
    """What makes up calls."""
    with schemathesis() as running:
        yield running


def with_headers_once(document: dict[str, Any]) -> dict[str, Any]:
    """The document, but of the headers that many calls take, one call of each method has each.

    The same function reads a header for all calls: `test_each_call_is_explained` sees that it is there.
    """
    seen = set()
    for call, operation in operations(document):
        kept = []
        for parameter in operation.get("parameters", ()):
            same = (call.partition(" ")[0], json.dumps(parameter, sort_keys=True))
            if parameter["in"] != "header" or same not in seen:
                kept.append(parameter)
            seen.add(same)
        operation["parameters"] = kept
    return document


def has_ids_only(operation: dict[str, Any]) -> bool:
    """Whether a call has nothing but ids in its path, whose boundaries the phase "coverage" tries."""
    return "requestBody" not in operation and all(
        parameter["in"] != "query" for parameter in operation["parameters"]
    )


@pytest.mark.parametrize("role", CALLERS)
async def test_the_document_is_true(
    cmi: Site, made_up_calls: Schemathesis, tmp_path: Path, role: str
) -> None:
    """Calls made up from the document, right ones and wrong ones, are answered as it says."""
    document = with_headers_once((await cmi.nobody.get("/openapi.json")).json())
    own, lists = calls_of(role)
    with_ids = [call for call, each in operations(document) if call in own and has_ids_only(each)]
    configuration = CONFIGURATION
    for phase, calls in (("coverage", lists), ("fuzzing", with_ids)):
        if calls:
            configuration += WITHOUT_PHASE.format(calls=json.dumps(calls), phase=phase)
    (tmp_path / "openapi.json").write_text(json.dumps(document))
    (tmp_path / "schemathesis.toml").write_text(configuration)
    arguments = (
        *("openapi.json", "--url", cmi.address),
        *("--header", f"Authorization: Bearer {cmi.tokens[role]}"),
        # "coverage" has the examples of the document, too.
        *("--phases", "coverage,fuzzing", "--max-examples", "3"),
        # What is right by the document may still be an unknown partner, or a time before another.
        *("--exclude-checks", "positive_data_acceptance"),
        *("--generation-deterministic", "--no-shrink"),
        *("--request-timeout", "20", "--suppress-health-check", "all", "--warnings", "off"),
        *("--no-color", "--continue-on-failure"),
    )
    for call in own + lists:
        arguments += ("--include-name", call)
    code, output = await made_up_calls.run(arguments, tmp_path)
    print(output[-8000:])
    assert code == 0


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """The calls."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


async def test_each_call_is_explained(cmi: Site) -> None:
    document = (await cmi.nobody.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    tags = {tag["name"] for tag in document["tags"]}
    names = []
    for call, operation in operations(document):
        names.append(operation["operationId"])
        assert operation["summary"], call
        assert set(operation["tags"]) <= tags, call
        if "health" in operation["tags"]:
            assert "security" not in operation
            continue
        assert operation["security"], call
        assert {"401", "403", "422", "500", "503"} <= set(operation["responses"]), call
        for status, response in operation["responses"].items():
            kinds = set(response.get("content", {}))
            problem = int(status) >= 400
            plain = FILES.get(call.rpartition(".")[2], "application/json")
            plain = "text/csv" if call in ONLY_CSV else plain
            plain = "application/zip" if call in ONLY_ZIP else plain
            plain = "image/jpeg" if call in ONLY_JPEG else plain
            expected = {"application/problem+json"} if problem else {plain}
            if call in ALSO_CSV and not problem:
                expected.add("text/csv")
            assert kinds == (set() if status in ("204", "304") else expected), (call, status)
        if call.startswith("POST"):
            named = {p["name"] for p in operation["parameters"]}
            assert "Idempotency-Key" in named, call
    assert len(set(names)) == len(names)


def examples(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Where there is an example, the schema it is one of, and the example."""
    for call, operation in operations(document):
        bodies = [("body", operation.get("requestBody", {}))]
        bodies += list(operation["responses"].items())
        for where, body in bodies:
            for content in body.get("content", {}).values():
                schema = content["schema"]
                name = schema.get("$ref", "").rpartition("/")[2]
                given = [each["value"] for each in content.get("examples", {}).values()]
                given += [content["example"]] if "example" in content else []
                given += document["components"]["schemas"].get(name, {}).get("examples", [])
                if "array" in str(schema.get("type")) or name in (
                    "PartnerList",
                    "UserList",
                    "TokenList",
                ):
                    continue
                assert given, f"{call} {where} has no example"
                for example in given:
                    yield f"{call} {where}", schema, example


async def test_each_call_has_examples_that_are_right(cmi: Site) -> None:
    document = (await cmi.nobody.get("/openapi.json")).json()
    count = 0
    validators = {}  # many calls have the same schema, and each validator reads the whole document
    for where, schema, example in examples(document):
        key = json.dumps(schema)
        if key not in validators:
            whole = {**schema, "components": document["components"]}
            validators[key] = jsonschema_rs.validator_for(whole)
        errors = [e.message for e in validators[key].iter_errors(example)]
        assert errors == [], where
        count += 1
    assert count > 100


def objects(document: dict[str, Any], schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The schemas of objects in a schema, at any depth."""
    name = schema.get("$ref", "").rpartition("/")[2]
    if name:
        yield from objects(document, document["components"]["schemas"][name])
    if "properties" in schema:
        yield schema
    parts = [*schema.get("properties", {}).values(), *schema.get("anyOf", [])]
    parts += [*schema.get("oneOf", []), *([schema["items"]] if "items" in schema else [])]
    for part in parts:
        yield from objects(document, part)


async def test_bodies_take_no_unknown_fields_and_answers_may_get_new_ones(cmi: Site) -> None:
    document = (await cmi.nobody.get("/openapi.json")).json()
    closed, open_ones = 0, 0
    for call, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            if kind == "application/json":
                for each in objects(document, content["schema"]):
                    assert each["additionalProperties"] is False, (call, each["title"])
                    closed += 1
        for content in operation["responses"].get("200", {}).get("content", {}).values():
            for each in objects(document, content["schema"]):
                open_ones += "additionalProperties" not in each
    assert closed > 25
    assert open_ones > 50


async def test_an_answer_is_as_the_document_says(cmi: Site) -> None:
    document = (await cmi.nobody.get("/openapi.json")).json()
    placed = await cmi.place()
    listed = (await cmi.shop.get(f"{API}/orders")).json()
    for name, answer in (("OrderView", placed), ("OrderList", listed)):
        schema = {
            "$ref": f"#/components/schemas/{name}",
            "components": document["components"],
        }
        errors = [e.message for e in jsonschema_rs.validator_for(schema).iter_errors(answer)]
        assert errors == []


async def test_the_pages_reach_no_other_site(cmi: Site) -> None:
    page = await cmi.nobody.get("/docs")
    assert page.headers["Content-Type"].startswith("text/html")
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
    used = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert len(used) == 5
    for path in used:
        assert path.startswith("/"), path
        found = await cmi.nobody.get(path)
        assert found.status_code == 200
        assert found.headers["X-Content-Type-Options"] == "nosniff"
    script = await cmi.nobody.get("/docs/start.js")
    assert 'url: "/openapi.json"' in script.text
    assert "<script>" not in page.text
    assert "validatorUrl: null" in script.text
