"""How CMI's processes connect to Temporal: standard variables, data converter, search attributes."""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn

from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client, Interceptor
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode

from contracts import names
from contracts.encryption import EncryptionCodec
from contracts.keys import EncryptionError, KeyRing, parse_keys
from records.data_keys import DataKeyRecords
from records.database import Database
from records.failures import is_away
from settings import Settings
from settings.temporal import is_local, temporal_connection
from telemetry.tracing import tracer
from temporal import refusals

logger = logging.getLogger("cmi.connection")

_CANNOT_CONNECT = "Failed client connect"


class NoConnection(Exception):
    """The client has no connection to Temporal and cannot make one."""


class Refused(NoConnection):
    """Temporal refuses this process, or this process Temporal. The text begins with the setting to look at."""


@contextmanager
def connecting() -> Iterator[None]:
    """Translate the errors of calls that may have to connect first, such as the first call of a lazy client.

    The SDK has no exception type for a failed connection. It raises a plain `RuntimeError`, recognised by its text.
    Every other `RuntimeError` passes through.

    Raises:
        NoConnection: the client cannot connect.
        Refused: a setting is wrong.
    """
    try:
        yield
    except RPCError as error:
        if refusal := refusals.of_call(error):
            raise Refused(refusal) from error
        raise
    except RuntimeError as error:
        if type(error) is RuntimeError and str(error).startswith(_CANNOT_CONNECT):
            if refusal := refusals.of_connection(str(error)):
                raise Refused(refusal) from error
            raise NoConnection(str(error)) from error
        raise


def key_ring(settings: Settings, database: Database | None) -> KeyRing | None:
    """The keys of the settings, None if there are none. With a database, each order has a data key of its own."""
    if settings.encryption_keys is None:
        return None
    return KeyRing(
        parse_keys(settings.encryption_keys.get_secret_value()),
        DataKeyRecords(database) if database is not None else None,
    )


async def rewrap_data_keys(settings: Settings, database: Database) -> None:
    """Wrap all data keys with the first of `CMI_ENCRYPTION_KEYS`, so that an older key can be taken out.

    If the database is away or a key is missing, the next start goes on.
    """
    if (ring := key_ring(settings, database)) is None:
        return
    try:
        count = await DataKeyRecords(database).rewrap(ring.current, ring.rewrapped)
    except Exception as error:
        if not (isinstance(error, EncryptionError) or is_away(error)):
            raise
        logger.warning("data keys were not wrapped anew", extra={"cause": str(error)})
    else:
        if count:
            logger.info("data keys wrapped anew", extra={"count": count, "key": ring.current})


def data_converter(
    settings: Settings | None = None, database: Database | None = None
) -> DataConverter:
    """Values are sent as JSON, read and written by pydantic. If there are keys, values and texts of failures are
    encrypted. `database` has the data keys of orders: without it nothing of theirs can be read.

    Without `settings` the keys come from the environment, so that a forgotten argument does not send plain text.

    Raises:
        SettingsError: the environment is wrong.
    """
    settings = settings or Settings.from_env()
    ring = key_ring(settings, database)
    if ring is None:
        return pydantic_data_converter
    return replace(
        pydantic_data_converter,
        payload_codec=EncryptionCodec(ring, accept_plain=settings.encryption_accept_plain),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(
    settings: Settings | None = None, database: Database | None = None, *, lazy: bool = False
) -> Client:
    """A client configured by `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE` and the other standard variables.

    `settings`, `database`: as for `data_converter`. `lazy`: connect on the first call, for processes that must
    start while Temporal is unavailable.

    Raises:
        NoConnection: Temporal is unavailable (not if `lazy`).
        Refused: it refuses the key or has no such namespace (not if `lazy`).
        SettingsError: the variables are wrong.
    """
    config = temporal_connection()
    # Between processes of one machine compression costs more than it saves (docs/traps.md, "Costs").
    local = is_local(config)
    with connecting():
        client = await Client.connect(
            **config,
            data_converter=data_converter(settings, database),
            grpc_compression=GrpcCompression.NONE if local else GrpcCompression.GZIP,
            lazy=lazy,
            interceptors=_interceptors(),
        )
        if not lazy:
            await _check_namespace(client)
    return client


async def _check_namespace(client: Client) -> None:
    asked = DescribeNamespaceRequest(namespace=client.namespace)
    try:
        await client.workflow_service.describe_namespace(asked)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise Refused(f"TEMPORAL_NAMESPACE: there is no {client.namespace!r}") from error
        if refusal := refusals.of_call(error, client.namespace):
            raise Refused(refusal) from error
        raise


def _interceptors() -> Sequence[Interceptor]:
    if (making := tracer()) is None:
        return ()
    # Imported here, so that processes without traces do not load it.
    from telemetry.workflow_tracing import TraceInterceptor

    return (TraceInterceptor(making),)


async def connect_patiently(
    settings: Settings | None = None, database: Database | None = None
) -> Client:
    """A client. Waits until it can connect to Temporal."""
    pause = 0.5
    while True:
        try:
            return await connect(settings, database)
        except (NoConnection, RPCError) as error:
            level = logging.ERROR if isinstance(error, Refused) else logging.WARNING
            logger.log(level, "Temporal is not up yet, trying again in %.0f s: %s", pause, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 15)


async def register_search_attributes(client: Client) -> None:
    """Register our search attributes in the namespace, those that are missing.

    For servers whose operator has not done it (development, tests). Without them every workflow task fails.
    """
    for name, kind in names.SEARCH_ATTRIBUTES.items():
        try:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(
                    namespace=client.namespace, search_attributes={name: kind}
                )
            )
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise


def leave(exit_code: int) -> NoReturn:
    """End a process that has used Temporal, with this exit code.

    Threads of the SDK sometimes abort the interpreter while it shuts down, and the exit code is lost.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
