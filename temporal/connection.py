"""How processes of CMI reach Temporal: its standard variables, our data converter, our search attributes."""

import asyncio
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn

from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes
from temporalio.envconfig import ClientConfig
from temporalio.service import GrpcCompression, RPCError, RPCStatusCode

from contracts import names
from contracts.encryption import EncryptionCodec, parse_keys
from settings import Settings

logger = logging.getLogger("cmi.connection")

LOCAL = ("localhost", "127.0.0.1", "[::1]")
_CANNOT_CONNECT = "Failed client connect"


class NoConnection(Exception):
    """The client has no connection to Temporal and cannot make one."""


@contextmanager
def connecting() -> Iterator[None]:
    """Calls to Temporal during which the client may have to connect first, as a lazy client does with its first call.

    The SDK has no type of its own for a failed connection: it raises a plain `RuntimeError`, which only its text tells
    from a mistake of ours. Every other `RuntimeError` passes through.

    Raises:
        NoConnection: the client cannot connect.
    """
    try:
        yield
    except RuntimeError as error:
        if type(error) is RuntimeError and str(error).startswith(_CANNOT_CONNECT):
            raise NoConnection(str(error)) from error
        raise


def data_converter(settings: Settings | None = None) -> DataConverter:
    """How values travel: as JSON, read and written by pydantic; encrypted if there are keys, failures' texts, too.

    Without `settings` the environment is asked: nobody sends plain text by forgetting an argument.

    Raises:
        SettingsError: the environment is wrong.
    """
    keys = (settings or Settings.from_env()).encryption_keys
    if keys is None:
        return pydantic_data_converter
    return replace(
        pydantic_data_converter,
        payload_codec=EncryptionCodec(parse_keys(keys.get_secret_value())),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def connect(settings: Settings | None = None, *, lazy: bool = False) -> Client:
    """A client as `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE` and the other standard variables say.

    `settings`: as for `data_converter`. `lazy`: it connects with its first call, for processes that must start while
    Temporal is away.

    Raises:
        NoConnection: Temporal is away (not if `lazy`).
    """
    config = ClientConfig.load_client_connect_config()
    target = config.setdefault("target_host", "localhost:7233")
    # Between processes of one machine compression costs more than it saves (docs/traps.md, "Costs").
    local = target.rpartition(":")[0] in LOCAL
    with connecting():
        return await Client.connect(
            **config,
            data_converter=data_converter(settings),
            grpc_compression=GrpcCompression.NONE if local else GrpcCompression.GZIP,
            lazy=lazy,
        )


async def connect_patiently(settings: Settings | None = None) -> Client:
    """A client, however long Temporal needs to come up."""
    pause = 0.5
    while True:
        try:
            return await connect(settings)
        except (NoConnection, RPCError) as error:
            logger.warning("Temporal is not up yet, trying again in %.0f s: %s", pause, error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 15)


async def register_search_attributes(client: Client) -> None:
    """Make the namespace know our search attributes; those it knows are left alone.

    For servers whose operator has not done it (development, tests): without them a workflow task fails for ever.
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
    """End a process that spoke to Temporal, with this exit code.

    Threads of the SDK sometimes abort the interpreter while it shuts down, and the exit code with it.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(exit_code)
