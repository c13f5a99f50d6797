"""Makes statements in a process of its own, so that a heavy one slows nothing else down.

`render_confined` is the outside; `main` is what runs inside (`documents/confined.py`).
"""

from documents.confined import Limits, run_confined
from statements.data import Document, StatementData

LIMITS = Limits(memory=4 << 30, seconds=540)
"""For a draft too. The largest settlement, 20,000 orders, takes 2.4 GB and two minutes of the processor; an
ordinary one 0.1 GB and a second (docs/documents.md)."""


async def render_confined(data: StatementData, limits: Limits = LIMITS) -> Document:
    """The statement. Raises `documents.confined.ConfinedError` if it takes too much, or fails."""
    answer = await run_confined(
        "statements.render_process", data.model_dump_json().encode(), limits
    )
    return Document.unpacked(answer)


def main(data: bytes) -> bytes:
    """Inside: the statement, packed."""
    from statements.document import render  # loads WeasyPrint, which the outside does not need

    return render(StatementData.model_validate_json(data)).packed()
