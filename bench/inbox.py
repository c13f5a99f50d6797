"""The SMTP server of a benchmark, in a process of its own, so that it does not sit in the measuring one."""

import asyncio
import sys
from pathlib import Path

import uvloop

from development.smtp_inbox import SmtpInbox


async def run(directory: Path, port: int) -> None:
    """Take mail until the process is ended."""
    async with SmtpInbox(directory, port):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(run(Path(sys.argv[1]), int(sys.argv[2])))
