"""What Temporal stores of an order with encryption on: nothing that one can read. And the keys, and how they change."""

import asyncio
import base64
import subprocess
import sys
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from google.protobuf.message import Message
from pydantic import SecretStr
from temporalio import activity
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    QueryWorkflowRequest,
)
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.worker import Worker

from contracts import activities as activity_names
from contracts import names
from contracts.encryption import ENCODING, EncryptionCodec
from contracts.keys import EncryptionError, KeyRing, UnknownKey, new_key, parse_keys
from domain.orders.commands import (
    Accept,
    Cancel,
    ConfirmExecution,
    ConfirmRequirements,
    LogContact,
    ReportNotExecuted,
    SetAppointment,
)
from domain.orders.order import Status
from domain.orders.outgoing import Mail, ShippingRequest
from domain.orders.shipment import GoodsReceived, GoodsShipped
from settings import Settings, SettingsError
from temporal.connection import data_converter
from tests.support.limits import WAIT_LIMIT
from tests.support.temporal_servers import skipping_server
from tests.workflows.life import OPERATIONS, WAREHOUSE, Life, Lives, zurich
from tests.workflows.outside import Outside
from workflows.service_order import ServiceOrder

OLD, NEW = new_key("2025"), new_key("2026-11")
PAYLOAD = Payload(
    metadata={"encoding": b"json/plain", "messageType": b"x"}, data=b'{"a": "M\xc3\xbcller"}'
)


def codec(*keys: str) -> EncryptionCodec:
    """A codec with these keys."""
    return EncryptionCodec(KeyRing(parse_keys(",".join(keys))))


# --- the codec ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload", [PAYLOAD, Payload(), Payload(data=b"\0" * 100_000)], ids=["json", "empty", "large"]
)
async def test_what_is_encrypted_comes_back_whole(payload: Payload) -> None:
    (sealed,) = await codec(NEW).encode([payload])
    assert sealed.metadata["encoding"] == b"binary/encrypted"
    assert sealed.metadata["encryption-key-id"] == b"2026-11"
    assert len(sealed.metadata) == 3
    assert payload.data not in sealed.data or not payload.data
    assert await codec(NEW).decode([sealed]) == [payload]


async def test_the_same_twice_does_not_look_the_same() -> None:
    one, two = await codec(NEW).encode([PAYLOAD, PAYLOAD])
    assert one.data != two.data


async def test_what_was_never_encrypted_is_taken_as_it_is() -> None:
    assert await codec(NEW).decode([PAYLOAD]) == [PAYLOAD]


async def test_keys_change_without_losing_what_is_stored() -> None:
    (before,) = await codec(OLD).encode([PAYLOAD])
    both = codec(NEW, OLD)
    (after,) = await both.encode([PAYLOAD])
    assert after.metadata["encryption-key-id"] == b"2026-11", "the first key encrypts"
    assert await both.decode([before, after]) == [PAYLOAD, PAYLOAD]
    # Before a new key encrypts anywhere it can be given to all processes to decrypt with.
    assert await codec(OLD, NEW).decode([before, after]) == [PAYLOAD, PAYLOAD]
    with pytest.raises(UnknownKey, match="'2025', which is not in CMI_ENCRYPTION_KEYS"):
        await codec(NEW).decode([before])


async def test_another_key_of_the_same_id_is_no_key() -> None:
    (sealed,) = await codec(new_key("k")).encode([PAYLOAD])
    with pytest.raises(EncryptionError, match="'k'"):
        await codec(new_key("k")).decode([sealed])


@pytest.mark.parametrize("place", [0, 11, 12, 20, -1])
async def test_a_bit_that_was_changed_is_noticed(place: int) -> None:
    (sealed,) = await codec(NEW).encode([PAYLOAD])
    data = bytearray(sealed.data)
    data[place] ^= 1
    with pytest.raises(EncryptionError, match="it was changed"):
        await codec(NEW).decode([Payload(metadata=sealed.metadata, data=bytes(data))])


@pytest.mark.parametrize("length", [0, 5, 12, 27])
async def test_what_is_cut_off_is_noticed(length: int) -> None:
    (sealed,) = await codec(NEW).encode([PAYLOAD])
    with pytest.raises(EncryptionError):
        await codec(NEW).decode([Payload(metadata=sealed.metadata, data=sealed.data[:length])])


async def test_the_key_id_belongs_to_what_was_encrypted() -> None:
    """Even under the same key: what says "a" cannot be passed off as "b"."""
    key = NEW.partition(":")[2]
    (sealed,) = await codec(f"a:{key}").encode([PAYLOAD])
    sealed.metadata["encryption-key-id"] = b"b"
    with pytest.raises(EncryptionError, match="it was changed"):
        await codec(f"b:{key}").decode([sealed])


@pytest.mark.parametrize("key_id", [b"", b"\xff\xfe", b"x" * 100, b"a\nb"])
async def test_a_key_id_that_cannot_be_is_not_repeated(key_id: bytes) -> None:
    sealed = Payload(
        metadata={"encoding": b"binary/encrypted", "encryption-key-id": key_id}, data=b"x" * 40
    )
    with pytest.raises(EncryptionError) as error:
        await codec(NEW).decode([sealed])
    assert str(error.value) == "encrypted, and does not say with which key"


# --- CMI_ENCRYPTION_KEYS -----------------------------------------------------------------------------------------


def test_both_alphabets_with_or_without_padding() -> None:
    raw = bytes(range(224, 256))
    forms = [base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()]
    for form in (*forms, *(form.rstrip("=") for form in forms)):
        assert parse_keys(f" a : {form} ") == [("a", raw)]


SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (SECRET, "entry 1: must be id:key"),
        (f":{SECRET}", "entry 1: must be id:key"),
        (f"a b:{SECRET}", "entry 1: must be id:key"),
        (f"{SECRET}:a", "entry 1: must be id:key"),
        (f"a:{SECRET},", "entry 2: must be id:key"),
        (f"a:{SECRET},a:{SECRET}", "entry 2: its id occurs twice"),
        (f"a:{SECRET[:-8]}", "entry 1: 27 bytes"),
        (f"a:{SECRET}!", "entry 1: must be id:key"),
        (f"{SECRET[:20]}:b", "entry 1: "),
    ],
)
def test_wrong_keys_are_refused_in_one_line_that_shows_none(text: str, says: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_env({"CMI_ENCRYPTION_KEYS": text})
    line = str(error.value)
    assert line.startswith(f"CMI_ENCRYPTION_KEYS: {says}")
    assert "\n" not in line
    assert SECRET[:8] not in line


def test_no_repr_shows_a_key() -> None:
    settings = Settings(encryption_keys=SecretStr(NEW))
    converter = data_converter(settings)
    assert (
        NEW.partition(":")[2] not in f"{settings!r} {converter!r} {vars(converter.payload_codec)!r}"
    )


def test_the_command_makes_a_key_that_can_be_used() -> None:
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "contracts.encryption", "new-key", "k7"],
        cwd=root, capture_output=True, text=True, check=True,
    )  # fmt: skip
    ((key_id, key),) = parse_keys(done.stdout.strip())
    assert (key_id, len(key)) == ("k7", 32)
    wrong = subprocess.run(
        [sys.executable, "-m", "contracts.encryption", "new-key", "a:b"],
        cwd=root, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (wrong.returncode, wrong.stderr.count("\n")) == (2, 1)


# --- a whole life, as somebody reads it who has the server and no key --------------------------------------------

CUSTOMER = {
    "name": "Zenobia Quux",
    "email": "zenobia@quux.example",
    "phone": "+41 79 000 11 22",
    "street": "Geheimgasse 99",
    "postal_code": "9999",
    "city": "Hinterverborgen",
}
WORDS = {
    **{field: value for field, value in CUSTOMER.items() if field != "postal_code"},
    "name_reversed": "Quux",
    "note of the order": "Schluessel-unter-der-Matte",
    "note of a contact": "ruft-erst-abends-zurueck",
    "reason of a move": "Kundin-ist-verreist",
    "note of a report": "Hund-hat-gebissen",
    "reason of the end": "Scheidung-im-Haus",
    "login": "Urs-Vertraulich",
    "login's address": "urs@vertraulich.example",
    "activity's failure": "Postfach-von-Zenobia",
    "tracking": "99.00.PAKET",
}


class Gossip(Outside):
    """An outside whose failures tell all they know."""

    @activity.defn(name=activity_names.SEND_MAIL)
    async def send_mail(self, mail: Mail) -> None:
        self._gossip(activity_names.SEND_MAIL)
        self.mails.append(mail)

    @activity.defn(name=activity_names.REQUEST_SHIPPING)
    async def request_shipping(self, request: ShippingRequest) -> None:
        self._gossip(activity_names.REQUEST_SHIPPING)
        self.requests.append(request)

    def _gossip(self, name: str) -> None:
        self.attempts[name] = self.attempts.get(name, 0) + 1
        if name in self.down:
            raise ConnectionError("no answer: " + WORDS["activity's failure"])


@asynccontextmanager
async def lives(keys: str | None) -> AsyncIterator[Lives]:
    """A server whose time skips, with a worker that has these keys."""
    settings = Settings(encryption_keys=SecretStr(keys) if keys else None)
    outside = Gossip()
    async with (
        skipping_server(settings) as env,
        Worker(
            env.client,
            task_queue=names.ORDERS_QUEUE,
            workflows=[ServiceOrder],
            activities=outside.activities,
        ),
    ):
        yield Lives(env, outside)


async def read_all(client: Client, sp_id: str) -> list[Message]:
    """Everything that the server tells of a workflow to whoever may ask."""
    execution = WorkflowExecution(workflow_id=sp_id)
    service, namespace = client.workflow_service, client.namespace
    told: list[Message] = [
        await service.describe_workflow_execution(
            DescribeWorkflowExecutionRequest(namespace=namespace, execution=execution)
        )
    ]
    token = b""
    while True:
        page = await service.get_workflow_execution_history(
            GetWorkflowExecutionHistoryRequest(
                namespace=namespace, execution=execution, next_page_token=token
            )
        )
        told.append(page)
        token = page.next_page_token
        if not token:
            break
    for query in ("__temporal_workflow_metadata", "__stack_trace", names.SNAPSHOT, names.VIEW):
        told.append(
            await service.query_workflow(
                QueryWorkflowRequest(
                    namespace=namespace, execution=execution, query=WorkflowQuery(query_type=query)
                )
            )
        )
    return told


def raw(messages: list[Message]) -> bytes:
    """The bytes as they come over the wire, those inside of payloads too."""
    return b"\n".join(message.SerializeToString() for message in messages)


def found(messages: list[Message]) -> set[str]:
    """Which of the words somebody finds there."""
    haystack = raw(messages).lower()
    return {what for what, word in WORDS.items() if word.lower().encode() in haystack}


async def live(all_lives: Lives) -> tuple[Life, list[Message]]:
    """A life with everything that people write, and all that the server told of it, also while it went on."""
    told: list[Message] = []
    life = await all_lives.start(
        at=zurich("2037-11-27 15:42"), note=WORDS["note of the order"], **CUSTOMER
    )
    partner = life.partner.model_copy(
        update={"name": WORDS["login"], "email": WORDS["login's address"]}
    )
    all_lives.outside.down.add(activity_names.SEND_MAIL)
    await all_lives.until(zurich("2037-11-27 16:20"))
    told += await read_all(all_lives.client, life.sp_id)  # a mail that is tried again and again
    all_lives.outside.down.clear()
    await all_lives.until(zurich("2037-11-30 09:00"))
    await life.do(Accept(), partner)
    await life.do(LogContact(outcome="not_reached", note=WORDS["note of a contact"]), partner)
    await life.refused(ConfirmExecution(note=WORDS["note of a contact"]), partner)
    # The same as a signal stays in history and is answered by mail.
    await life.tell(ReportNotExecuted(reason="other", note=WORDS["note of a report"]), partner)
    await life.handle.signal("nonsense", {"note": WORDS["note of a contact"]})
    await life.do(
        ConfirmRequirements(
            checklist={"connections": "yes", "space": "yes", "passages": "not_applicable"}
        ),
        partner,
    )
    await life.tell(GoodsShipped(tracking=WORDS["tracking"]), WAREHOUSE)
    await life.tell(GoodsReceived(), WAREHOUSE)
    for day, reason in (("2037-12-02", ""), ("2037-12-03", WORDS["reason of a move"])):
        start = zurich(f"{day} 09:00")
        await life.do(
            SetAppointment(start=start, end=start + timedelta(hours=2), reason=reason), partner
        )
    await all_lives.until(zurich("2037-12-03 12:00"))
    await life.do(ReportNotExecuted(reason="other", note=WORDS["note of a report"]), partner)
    told += await read_all(all_lives.client, life.sp_id)
    await life.do(Cancel(reason=WORDS["reason of the end"]), OPERATIONS)
    await life.handle.result()
    told += await read_all(all_lives.client, life.sp_id)
    return life, told


async def test_the_server_learns_nothing_of_a_whole_life() -> None:
    async with lives(f"{NEW},{OLD}") as encrypted:
        life, told = await live(encrypted)
        held = await life.snapshot()
        assert held.order.status is Status.CANCELLED
        assert held.order.intake.placement.customer.name == CUSTOMER["name"]
    assert found(told) == set()
    # Search attributes must be readable to be searched.
    readable = {
        path for path, payload in payloads(told) if payload.metadata["encoding"] != ENCODING
    }
    assert {path.split("/")[-2] for path in readable} == {"search_attributes"}
    used = {
        bytes(payload.metadata["encryption-key-id"])
        for path, payload in payloads(told)
        if path not in readable
    }
    assert used == {b"2026-11"}


def payloads(messages: Iterable[Message], path: str = "") -> Iterator[tuple[str, Payload]]:
    """All payloads, however deep in them, and where they are."""
    for message in messages:
        if isinstance(message, Payload):
            yield path, message
            continue
        if isinstance(message, Payloads):
            yield from ((path, payload) for payload in message.payloads)
            continue
        for field, value in message.ListFields():
            if field.message_type is None:
                continue
            inner = f"{path}/{field.name}".lstrip("/")
            if not field.message_type.GetOptions().map_entry:
                yield from payloads(value if isinstance(value, Sequence) else [value], inner)
                continue
            for key, part in value.items():
                if isinstance(part, Message):
                    shown = inner.removesuffix("/indexed_fields")
                    yield from payloads([part], f"{shown}/{key}")


async def test_without_keys_the_same_search_finds_it_all() -> None:
    """Else the test above would prove nothing."""
    async with lives(None) as plain:
        _, told = await live(plain)
    assert found(told) == set(WORDS)


async def test_a_refusal_travels_encrypted_too() -> None:
    async with lives(NEW) as encrypted:
        life = await encrypted.start(at=zurich("2037-11-27 15:42"))
        refusal = await life.refused(Accept())
        assert refusal.type == names.REFUSED
        assert refusal.details[0]["status"] == "in_transmission"
        plain = await Client.connect(encrypted.client.service_client.config.target_host)
        handle = plain.get_workflow_handle(life.sp_id)
        with pytest.raises(WorkflowUpdateFailedError) as failure:
            await handle.execute_update("accept", {"note": WORDS["note of the order"]})
        assert failure.value.cause is not None
        assert "accept" not in repr(failure.value.cause)


async def test_a_worker_that_lacks_a_key_waits_for_it_and_loses_nothing() -> None:
    """Temporal tries the workflow task again; nothing fails for good."""
    settings = Settings(encryption_keys=SecretStr(NEW))
    outside = Outside()
    async with skipping_server(settings) as env:
        all_lives = Lives(env, outside)
        life = await all_lives.start()
        stranger = await Client.connect(
            env.client.service_client.config.target_host,
            data_converter=data_converter(Settings(encryption_keys=SecretStr(OLD))),
        )

        def worker(client: Client) -> Worker:
            return Worker(
                client,
                task_queue=names.ORDERS_QUEUE,
                workflows=[ServiceOrder],
                activities=outside.activities,
            )

        async with worker(stranger):
            await _task_failed(life)
        async with worker(env.client):
            assert (await life.order()).status is Status.IN_TRANSMISSION
            description = await life.handle.describe()
            assert description.status is not None
            assert description.status.name == "RUNNING"


async def _task_failed(life: Life) -> None:
    async with asyncio.timeout(WAIT_LIMIT):
        while True:
            history = await life.handle.fetch_history()
            if any(e.HasField("workflow_task_failed_event_attributes") for e in history.events):
                return
            await asyncio.sleep(0.05)
