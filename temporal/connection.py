"""How CMI's processes connect to Temporal: standard variables, data converter, search attributes."""

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
    """Calls to Temporal that may have to connect first, as the first call of a lazy client does.

    The SDK has no exception type for a failed connection. It raises a plain `RuntimeError`, recognised by its text.
    Every other `RuntimeError` passes through.

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
    """Values are sent as JSON, read and written by pydantic. If there are keys, values and texts of failures are
    encrypted.

    Without `settings` the keys come from the environment, so that a forgotten argument does not send plain text.

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
    """A client configured by `TEMPORAL_ADDRESS`, `TEMPORAL_NAMESPACE` and the other standard variables.

    `settings`: as for `data_converter`. `lazy`: connect on the first call, for processes that must start while Temporal
    is unavailable.

    Raises:
        NoConnection: Temporal is unavailable (not if `lazy`).
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
    """A client. Waits until it can connect to Temporal."""
    pause = 0.5
    while True:
        try:
            return await connect(settings)
        except (NoConnection, RPCError) as error:
            logger.warning("Temporal is not up yet, trying again in %.0f s: %s", pause, error)
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
