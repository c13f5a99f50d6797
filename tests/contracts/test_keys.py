"""Encryption proves where a payload belongs: strangers' commands, copied commands, keys of orders, erased keys."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.update.v1 import Input, Meta, Request, WaitPolicy
from temporalio.api.workflowservice.v1 import (
    SignalWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import ActivitySerializationContext, WorkflowSerializationContext
from temporalio.worker import Worker

from contracts import names
from contracts.encryption import ERASED, REFUSED, EncryptionCodec
from contracts.keys import EncryptionError, KeyErased, KeyRing, UnknownKey, new_key, parse_keys
from domain.actors import Actor
from domain.orders.commands import Cancel
from domain.orders.order import Status
from domain.orders.request import Request as CommandRequest
from records.data_keys import DataKeyRecords
from records.database import Database
from settings import Settings
from tests.support.databases import records_copy
from tests.support.temporal_servers import skipping_server
from tests.workflows.life import Lives, zurich
from tests.workflows.outside import Outside
from workflows.service_order import ServiceOrder

OLD, NEW = new_key("old"), new_key("new")
PAYLOAD = Payload(metadata={"encoding": b"json/plain"}, data=b'"secret"')
CANCEL = CommandRequest(
    command=Cancel(reason="customer_wish"),
    actor=Actor(role="operations", name="Mallory"),
    request_id="mallory-1",
)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """Records on SQLite."""
    async with records_copy(tmp_path, "sqlite") as copy:
        database = Database(copy.url)
        yield database
        await database.close()


def in_workflow(codec: EncryptionCodec, name: str, namespace: str = "default") -> EncryptionCodec:
    """The codec where the SDK reads or writes a workflow's payloads."""
    return codec.with_context(WorkflowSerializationContext(namespace, name))


def in_activity(codec: EncryptionCodec, name: str) -> EncryptionCodec:
    """The codec where the SDK reads or writes an activity's payloads."""
    return codec.with_context(
        ActivitySerializationContext(
            namespace="default",
            activity_id="1",
            activity_type="send_mail",
            activity_task_queue="orders",
            workflow_id=name,
            workflow_type="ServiceOrder",
            is_local=False,
        )
    )


def codec(database: Database | None, *keys: str, accept_plain: bool = False) -> EncryptionCodec:
    """A codec of a process of its own."""
    stored = DataKeyRecords(database) if database is not None else None
    return EncryptionCodec(KeyRing(parse_keys(",".join(keys)), stored), accept_plain=accept_plain)


# --- what a payload is bound to ----------------------------------------------------------------------------------


@pytest.mark.parametrize("with_data_keys", [False, True])
async def test_a_payload_is_read_only_where_it_belongs(
    database: Database, with_data_keys: bool
) -> None:
    one = codec(database if with_data_keys else None, NEW)
    (sealed,) = await in_workflow(one, "SP-1").encode([PAYLOAD])
    assert await in_workflow(one, "SP-1").decode([sealed]) == [PAYLOAD]
    for elsewhere in (
        in_workflow(one, "SP-2"),
        in_workflow(one, "SP-1", "other"),
        in_activity(one, "SP-1"),
        in_workflow(one, "SP-1-2026-11-30T23:00:00"),
    ):
        assert await elsewhere.decode([sealed]) == [REFUSED]
    assert await one.decode([sealed]) == [PAYLOAD], "the codec endpoint knows no workflow"


async def test_who_changes_what_it_says_it_belongs_to_cannot_decrypt_it() -> None:
    one = codec(None, NEW)
    (sealed,) = await in_workflow(one, "SP-1").encode([PAYLOAD])
    (other,) = await in_workflow(one, "SP-2").encode([PAYLOAD])
    sealed.metadata["encryption-bound-to"] = other.metadata["encryption-bound-to"]
    assert await in_workflow(one, "SP-2").decode([sealed]) == [REFUSED]
    with pytest.raises(EncryptionError, match="it was changed"):
        await one.decode([sealed])


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b'["default","SP-2",1]', b'[1,"SP-2","workflow"]', b"[" * 9999]
)
async def test_a_binding_that_cannot_be_is_refused(raw: bytes) -> None:
    one = codec(None, NEW)
    (sealed,) = await in_workflow(one, "SP-2").encode([PAYLOAD])
    sealed.metadata["encryption-bound-to"] = raw
    assert await in_workflow(one, "SP-2").decode([sealed]) == [REFUSED]


async def test_what_is_bound_to_nothing_is_refused_in_a_workflow() -> None:
    one = codec(None, NEW)
    (sealed,) = await one.encode([PAYLOAD])
    assert await in_workflow(one, "SP-2").decode([sealed]) == [REFUSED]


async def test_a_scheduled_run_reads_the_input_of_its_schedule() -> None:
    one = codec(None, NEW)
    (sealed,) = await in_workflow(one, "monthly-billing").encode([PAYLOAD])
    run = in_workflow(one, "monthly-billing-2026-11-30T23:00:00Z")
    assert await run.decode([sealed]) == [PAYLOAD]


async def test_plain_payloads_are_refused_unless_a_migration_wants_them() -> None:
    assert await in_workflow(codec(None, NEW), "SP-1").decode([PAYLOAD]) == [REFUSED]
    assert await in_activity(codec(None, NEW), "SP-1").decode([PAYLOAD]) == [REFUSED]
    migrating = in_workflow(codec(None, NEW, accept_plain=True), "SP-1")
    assert await migrating.decode([PAYLOAD]) == [PAYLOAD]


def first_format(keys: str) -> Payload:
    """A payload as releases before this one made it."""
    ((key_id, key),) = parse_keys(keys)
    nonce = b"n" * 12
    about = b"cmi-payload-1\0" + key_id.encode()
    return Payload(
        metadata={"encoding": b"binary/encrypted", "encryption-key-id": key_id.encode()},
        data=nonce + AESGCM(key).encrypt(nonce, PAYLOAD.SerializeToString(), about),
    )


async def test_the_first_format_is_read_with_older_keys_only() -> None:
    """Whoever could send it again under today's key could send it to any order."""
    both = codec(None, NEW, OLD)
    assert await in_workflow(both, "SP-1").decode([first_format(OLD)]) == [PAYLOAD]
    assert await both.decode([first_format(OLD), first_format(NEW)]) == [PAYLOAD, PAYLOAD]
    with pytest.raises(EncryptionError, match="put a new key in front"):
        await in_workflow(both, "SP-1").decode([first_format(NEW)])
    migrating = in_workflow(codec(None, OLD, accept_plain=True), "SP-1")
    assert await migrating.decode([first_format(OLD)]) == [PAYLOAD]


GARBAGE = b"g" * 60
BOUND = b'["default","SP-1","workflow"]'
FORGED = [
    {"encryption-format": b"2", "encryption-bound-to": BOUND},
    {"encryption-format": b"2", "encryption-bound-to": BOUND, "encryption-key-id": b"new"},
    {"encryption-format": b"2", "encryption-bound-to": BOUND, "encryption-key-id": b"invented"},
    {"encryption-format": b"2", "encryption-bound-to": BOUND, "encryption-key-id": b"\xff"},
    {"encryption-key-id": b"new"},
    {"encryption-key-id": b"old"},
    {"encryption-key-id": b"invented"},
    {},
]


@pytest.mark.parametrize("metadata", FORGED)
async def test_what_somebody_forged_without_a_key_stops_no_order(
    database: Database, metadata: dict[str, bytes]
) -> None:
    forged = Payload(metadata={"encoding": b"binary/encrypted", **metadata}, data=GARBAGE)
    order = in_workflow(codec(database, NEW, OLD), "SP-1")
    assert await order.decode([forged]) == [REFUSED]


async def test_a_missing_master_key_is_waited_for(database: Database) -> None:
    """Refusing would lose a command that another process encrypted with a key that comes later."""
    (sealed,) = await in_workflow(codec(database, NEW), "SP-1").encode([PAYLOAD])
    with pytest.raises(UnknownKey):
        await in_workflow(codec(database, OLD), "SP-1").decode([sealed])


# --- data keys ---------------------------------------------------------------------------------------------------


async def test_two_processes_agree_on_the_key_of_a_new_order(database: Database) -> None:
    processes = [in_workflow(codec(database, NEW), "SP-1") for _ in range(8)]
    sealed = await asyncio.gather(*(each.encode([PAYLOAD]) for each in processes))
    for (payload,) in sealed:
        assert b"new" not in payload.metadata.values()
        assert await processes[0].decode([payload]) == [PAYLOAD]


async def test_settlements_and_schedules_have_no_keys_of_their_own(database: Database) -> None:
    for name in ("settlement-elektro-huber-2026-11", "monthly-billing", "reconciler"):
        (sealed,) = await in_workflow(codec(database, NEW), name).encode([PAYLOAD])
        assert sealed.metadata["encryption-key-id"] == b"new"


async def test_an_erased_key_is_gone_for_reading_and_writing(database: Database) -> None:
    before = in_workflow(codec(database, NEW), "SP-1")
    (sealed,) = await before.encode([PAYLOAD])
    await DataKeyRecords(database).erase("SP-1", datetime.now(UTC))
    await DataKeyRecords(database).erase("SP-1", datetime.now(UTC))
    later = codec(database, NEW)
    with pytest.raises(KeyErased):
        await in_workflow(later, "SP-1").decode([sealed])
    with pytest.raises(KeyErased):
        await in_workflow(later, "SP-1").encode([PAYLOAD])
    assert await later.decode([sealed]) == [ERASED], "what staff sees in the Temporal UI"
    async with database.reading() as connection:
        stored = (await connection.exec_driver_sql("SELECT wrapped FROM data_keys")).scalar_one()
    assert stored is None


async def test_a_process_forgets_an_erased_key_within_a_minute(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = in_workflow(codec(database, NEW), "SP-1")
    (sealed,) = await process.encode([PAYLOAD])
    await DataKeyRecords(database).erase("SP-1", datetime.now(UTC))
    later = time.monotonic() + 61
    monkeypatch.setattr("contracts.keys.time.monotonic", lambda: later)
    with pytest.raises(KeyErased):
        await process.decode([sealed])


async def test_an_order_without_a_key_can_be_erased_before_one_is_made(database: Database) -> None:
    await DataKeyRecords(database).erase("SP-1", datetime.now(UTC))
    with pytest.raises(KeyErased):
        await in_workflow(codec(database, NEW), "SP-1").encode([PAYLOAD])


async def test_data_keys_change_their_master_key(database: Database) -> None:
    sealed = {}
    for name in ("SP-1", "SP-2", "SP-3"):
        (sealed[name],) = await in_workflow(codec(database, OLD), name).encode([PAYLOAD])
    stored = DataKeyRecords(database)
    await stored.erase("SP-3", datetime.now(UTC))
    ring = KeyRing(parse_keys(f"{NEW},{OLD}"), stored)
    assert await stored.rewrap(ring.current, ring.rewrapped) == 2
    assert await stored.rewrap(ring.current, ring.rewrapped) == 0
    alone = codec(database, NEW)
    for name in ("SP-1", "SP-2"):
        assert await in_workflow(alone, name).decode([sealed[name]]) == [PAYLOAD]
    with pytest.raises(KeyErased):
        await in_workflow(alone, "SP-3").decode([sealed["SP-3"]])
    with pytest.raises(UnknownKey):
        await in_workflow(codec(database, OLD), "SP-1").decode([sealed["SP-1"]])


async def test_a_wrapped_key_is_of_one_order(database: Database) -> None:
    """Whoever can write to the table cannot give an order the key of another."""
    ring = KeyRing(parse_keys(NEW))
    await DataKeyRecords(database).put("SP-2", ring.wrap("SP-1", b"k" * 32))
    with pytest.raises(EncryptionError, match="SP-2"):
        await in_workflow(codec(database, NEW), "SP-2").encode([PAYLOAD])


async def test_without_the_data_keys_nothing_is_read(database: Database) -> None:
    (sealed,) = await in_workflow(codec(database, NEW), "SP-1").encode([PAYLOAD])
    with pytest.raises(EncryptionError, match="cannot read"):
        await in_workflow(codec(None, NEW), "SP-1").decode([sealed])


# --- attacks on running orders -----------------------------------------------------------------------------------


@asynccontextmanager
async def lives(database: Database) -> AsyncIterator[Lives]:
    """A server with a worker that encrypts, each order with a key of its own."""
    outside = Outside()
    async with (
        skipping_server(Settings(encryption_keys=SecretStr(NEW)), database) as env,
        Worker(
            env.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[ServiceOrder],
            activities=outside.activities,
        ),
    ):
        yield Lives(env, outside)


async def send(client: Client, sp_id: str, payload: Payload, how: str) -> str:
    """Send a payload as a command, below the SDK. Returns what the server says to it."""
    execution = WorkflowExecution(workflow_id=sp_id)
    service, payloads = client.workflow_service, Payloads(payloads=[payload])
    if how == "signal":
        await service.signal_workflow_execution(
            SignalWorkflowExecutionRequest(
                namespace=client.namespace,
                workflow_execution=execution,
                signal_name="cancel",
                input=payloads,
            )
        )
        return ""
    answer = await service.update_workflow_execution(
        UpdateWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=execution,
            wait_policy=WaitPolicy(lifecycle_stage=3),
            request=Request(
                meta=Meta(update_id=f"{how}-{sp_id}"), input=Input(name="cancel", args=payloads)
            ),
        )
    )
    return str(answer.outcome.WhichOneof("value"))


@pytest.mark.parametrize("how", ["update", "signal"])
async def test_a_stranger_who_reaches_temporal_commands_nothing(
    database: Database, how: str
) -> None:
    async with lives(database) as running:
        life = await running.start(at=zurich("2037-11-27 15:42"))
        (plain,) = await pydantic_data_converter.encode([CANCEL])
        assert await send(running.client, life.sp_id, plain, how) in ("", "failure")
        (unbound,) = await codec(None, NEW).encode([plain])
        assert await send(running.client, life.sp_id, unbound, how) in ("", "failure")
        assert (await life.order()).status is Status.IN_TRANSMISSION
        await life.do(CANCEL.command, CANCEL.actor)
        assert (await life.order()).status is Status.CANCELLED, "the order has gone on all the time"


async def test_without_keys_the_same_command_counts(database: Database) -> None:
    """Else the test above would prove nothing."""
    outside = Outside()
    async with (
        skipping_server(Settings()) as env,
        Worker(
            env.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[ServiceOrder],
            activities=outside.activities,
        ),
    ):
        life = await Lives(env, outside).start(at=zurich("2037-11-27 15:42"))
        (plain,) = await pydantic_data_converter.encode([CANCEL])
        assert await send(env.client, life.sp_id, plain, "update") == "success"
        assert (await life.order()).status is Status.CANCELLED


@pytest.mark.parametrize("how", ["update", "signal"])
async def test_the_command_of_one_order_is_none_of_another(database: Database, how: str) -> None:
    async with lives(database) as running:
        victim = await running.start(at=zurich("2037-11-27 15:42"), sp_id="SP-1")
        other = await running.start(sp_id="SP-2")
        await running.client.get_workflow_handle("SP-2").signal("cancel", CANCEL)
        assert (await other.order()).status is Status.CANCELLED
        history = await running.client.get_workflow_handle("SP-2").fetch_history()
        (signal,) = [
            event.workflow_execution_signaled_event_attributes.input.payloads[0]
            for event in history.events
            if event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
        ]
        assert await send(running.client, "SP-1", signal, how) in ("", "failure")
        assert (await victim.order()).status is Status.IN_TRANSMISSION
