"""A gRPC proxy in front of a Temporal server, as Temporal Cloud is: TLS, an API key, a namespace; and it can refuse."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio

from tests.support.tls import Pair

_OF_THE_CONNECTION = ("user-agent", "te", "content-type", "grpc-")


@dataclass
class Cloud:
    """What the proxy demands of each call. `limits`: whether it answers a method with RESOURCE_EXHAUSTED."""

    api_key: str | None = None
    namespace: str | None = None
    limits: Callable[[str], bool] = lambda method: False
    refused: list[str] = field(default_factory=list)
    """The methods it has refused, in their order."""

    def refusal(self, method: str, metadata: dict[str, Any]) -> tuple[grpc.StatusCode, str] | None:
        """Why a call is refused; None if it is passed on."""
        if self.api_key is not None and metadata.get("authorization") != f"Bearer {self.api_key}":
            return grpc.StatusCode.UNAUTHENTICATED, "Jwt is missing or not valid"
        named = metadata.get("temporal-namespace")
        if method != "GetSystemInfo" and self.namespace is not None and named != self.namespace:
            return grpc.StatusCode.PERMISSION_DENIED, "Request unauthorized."
        if self.limits(method):
            return grpc.StatusCode.RESOURCE_EXHAUSTED, "namespace rate limit exceeded"
        return None


class _PassedOn(grpc.GenericRpcHandler):
    def __init__(self, cloud: Cloud, channel: grpc.aio.Channel) -> None:
        self._cloud, self._channel = cloud, channel

    def service(self, details: Any) -> grpc.RpcMethodHandler:
        method = details.method.rpartition("/")[2]
        behind = self._channel.unary_unary(details.method)

        async def call(request: bytes, context: grpc.aio.ServicerContext) -> bytes:
            metadata = dict(context.invocation_metadata())
            if refusal := self._cloud.refusal(method, metadata):
                self._cloud.refused.append(method)
                await context.abort(*refusal)
            forwarded = [
                (key, value)
                for key, value in metadata.items()
                if not key.startswith(_OF_THE_CONNECTION)
            ]
            left = context.time_remaining()
            try:
                return await behind(request, metadata=forwarded, timeout=left)
            except grpc.aio.AioRpcError as error:
                trailing = tuple(
                    (key, value)
                    for key, value in error.trailing_metadata() or ()
                    if key == "grpc-status-details-bin"
                )
                await context.abort(error.code(), error.details() or "", trailing)
                raise

        return grpc.unary_unary_rpc_method_handler(call)


@asynccontextmanager
async def grpc_proxy(port: int, to: str, cloud: Cloud, tls: Pair | None) -> AsyncIterator[None]:
    """A proxy on a port of 127.0.0.1, passed on to the server at `to`; with TLS, if there is a certificate for it."""
    async with grpc.aio.insecure_channel(to) as channel:
        server = grpc.aio.server()
        server.add_generic_rpc_handlers((_PassedOn(cloud, channel),))
        address = f"127.0.0.1:{port}"
        if tls is None:
            server.add_insecure_port(address)
        else:
            pair = ((tls.key.read_bytes(), tls.certificate.read_bytes()),)
            server.add_secure_port(address, grpc.ssl_server_credentials(pair))
        await server.start()
        try:
            yield
        finally:
            await server.stop(0)
