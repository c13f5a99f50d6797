"""A Temporal server for many tests. Each test gets a namespace of its own, so none sees the workflows of another."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from temporalio.client import Client
from temporalio.converter import DataConverter

from development.embedded import ending_with_parent, free_port, temporal_command, temporal_is_up
from tests.support.limits import WAIT_LIMIT

_NAMESPACES = 20
"""Namespaces of one server, which exist from its start: one that is made later takes seconds until all know it."""
_SELDOM_READS_NAMESPACES = (
    "--dynamic-config-value",
    'system.namespaceCacheRefreshInterval="60s"',
)
"""Namespaces do not change, and reading twenty of them every second is half of what an idle server costs."""


class Namespace(NamedTuple):
    """A namespace that nobody has used before, and the address of its server."""

    address: str
    name: str

    async def connect(self, converter: DataConverter) -> Client:
        """A client of it, once its server is up."""
        await temporal_is_up(self.address, WAIT_LIMIT)
        return await Client.connect(self.address, namespace=self.name, data_converter=converter)


class _Server:
    """A server in memory. It starts at once, and may not answer yet.

    It ends with the process of the tests, also if that is killed.
    """

    def __init__(self, options: Sequence[str]) -> None:
        self.options = options
        self.folder = Path(tempfile.mkdtemp(prefix="cmi-temporal-"))
        self.unused = [f"test-{number}" for number in range(_NAMESPACES)]
        self.users = 0
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        namespaces = [part for name in self.unused for part in ("--namespace", name)]
        command = temporal_command(
            port=port,
            ui_port=None,
            file=None,
            extra=[*namespaces, *_SELDOM_READS_NAMESPACES, *options],
        )
        with (self.folder / "temporal.log").open("wb") as log:
            self._process = subprocess.Popen(
                ending_with_parent(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def has_more(self) -> bool:
        """Whether it runs and has an unused namespace."""
        return bool(self.unused) and self._process.poll() is None

    def end(self) -> None:
        """Kill it."""
        self._process.kill()
        self._process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


_servers: list[_Server] = []


@contextmanager
def unused_namespace(options: Sequence[str] = ()) -> Iterator[Namespace]:
    """A namespace for one test, of a server with these options. The server is shared, and must not be stopped."""
    for each in [each for each in _servers if not each.users and not each.has_more]:
        each.end()
        _servers.remove(each)
    server = next((each for each in _servers if each.has_more and each.options == options), None)
    if server is None:
        server = _Server(options)
        _servers.append(server)
    server.users += 1
    try:
        yield Namespace(server.address, server.unused.pop())
    finally:
        server.users -= 1


def end_shared_servers() -> None:
    """Kill the servers, at the end of all tests."""
    while _servers:
        _servers.pop().end()
