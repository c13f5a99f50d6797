"""Starts many processes by `run_confined` as the worker does: under uvloop, while the SDK's threads are busy.

    python -m tests.statements.spawning COUNT SECONDS ADDRESS

Most are a shell that answers at once, so that many fit into little time; a tenth is whole Pythons. Prints how many
there were and how many of them ran Python code between their creation and `exec`, which is where the deadlock was. If
it is not done within SECONDS it prints the traceback of each thread and exits with 1.
"""

import asyncio
import faulthandler
import os
import sys
import tempfile
from pathlib import Path

import uvloop
from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError

from documents.confined import Limits, run_confined

LIMITS = Limits(memory=512 << 20, seconds=60)
CALLS_AT_A_TIME = 16
PROCESSES_AT_A_TIME = 2


async def main(count: int, address: str, folder: Path) -> None:
    """Start `count` processes."""
    seen, told = os.pipe()
    os.set_blocking(seen, False)
    os.register_at_fork(after_in_child=lambda: os.write(told, b"!"))
    shell = folder / "shell"
    shell.write_text("#!/bin/sh\nread given\necho\n")
    shell.chmod(0o755)
    client = await Client.connect(address)
    calls = 0

    async def call() -> None:
        nonlocal calls
        while True:
            try:
                await client.workflow_service.get_system_info(GetSystemInfoRequest())
                calls += 1
            except RPCError:  # too many of them for the server: no less work for the threads
                await asyncio.sleep(0)

    async def spawn(times: int) -> None:
        for _ in range(times):
            await run_confined("tests.statements.greedy", b"echo here", LIMITS)

    calling = [asyncio.create_task(call()) for _ in range(CALLS_AT_A_TIME)]
    for program, times in ((str(shell), count * 9 // 10), (sys.executable, count // 10)):
        sys.executable = program
        await asyncio.gather(
            *(spawn(times // PROCESSES_AT_A_TIME) for _ in range(PROCESSES_AT_A_TIME))
        )
    for task in calling:
        task.cancel()
    try:
        ran = len(os.read(seen, count))
    except BlockingIOError:
        ran = 0
    print(f"{count} spawned, {calls} calls meanwhile")
    print(f"{ran} children ran Python before exec", flush=True)
    os._exit(0)  # see connection.leave


if __name__ == "__main__":
    faulthandler.dump_traceback_later(float(sys.argv[2]), exit=True)
    with tempfile.TemporaryDirectory() as made:
        uvloop.run(main(int(sys.argv[1]), sys.argv[3], Path(made)))
