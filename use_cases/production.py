"""Whether a process with `CMI_PRODUCTION=on` may start: its settings, this machine, and the database."""

import asyncio
import os
from collections.abc import Sequence

from records.production import database_findings
from settings import Settings
from settings.production import Process, findings, report


def unfit_for_production(
    settings: Settings, process: Process, lacking: Sequence[str] = ()
) -> str | None:
    """Why this process must not start, as a text with a line for each finding; None if it may.

    `lacking`: what the machine lacks to confine the processes that read files from outside. If nothing else is found,
    it waits for a database that is away. To be called before an event loop runs.
    """
    if not settings.production:
        return None
    found = findings(settings, process, lacking=lacking, temporal=os.environ)
    more = asyncio.run(database_findings(settings.database_url, waits=not found))
    return report([*found, *more]) if found or more else None
