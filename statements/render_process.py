"""Makes statements in a confined process, so that a large one does not slow other work down.

`render_confined` starts the process; `main` runs in it (`documents/confined.py`).
"""

from documents.confined import Limits, run_confined
from statements.data import Document, StatementData

LOADS = ("statements.document",)
LIMITS = Limits(memory=4 << 30, seconds=540)
"""The limits of a statement or draft. The largest settlement, 20,000 orders, takes 2.4 GB and two minutes of processor
time; an ordinary one 0.1 GB and a second (docs/documents.md)."""


async def render_confined(data: StatementData, limits: Limits = LIMITS) -> Document:
    """Make a statement. Raises `documents.confined.ConfinedError` if it exceeds the limits, or fails."""
    answer = await run_confined(
        "statements.render_process", data.model_dump_json().encode(), limits
    )
    return Document.unpacked(answer)


def main(data: bytes) -> bytes:
    """Runs in the confined process. Returns the packed statement."""
    from statements.document import render  # loads WeasyPrint, which only this process needs

    return render(StatementData.model_validate_json(data)).packed()
