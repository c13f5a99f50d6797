"""Makes statements in a process of its own, so that a heavy one slows nothing else down (DESIGN 4, 8).

`render_confined` is the outside; `main` is what runs inside (`documents/confined.py`).
"""

import hashlib
import json

from documents.confined import Limits, run_confined
from statements.data import Document, StatementData

LIMITS = Limits(memory=1 << 30, seconds=120)
"""Of each of the three processes. 10000 orders took 146 MB and 18 seconds on two busy cores (docs/documents.md)."""


async def render_confined(data: StatementData, limits: Limits = LIMITS) -> Document:
    """The statement. Raises `documents.confined.ConfinedError` if it takes too much, or fails."""
    answer = await run_confined(
        "statements.render_process", data.model_dump_json().encode(), limits
    )
    about, _, pdf = answer.partition(b"\n")
    return Document(pdf=pdf, sha256=hashlib.sha256(pdf).hexdigest(), **json.loads(about))


def main(data: bytes) -> bytes:
    """Inside: a line of JSON, then the PDF."""
    from statements.document import render  # loads WeasyPrint, which the outside does not need

    made = render(StatementData.model_validate_json(data))
    about = made.model_dump(include={"template_version", "input_checksum", "pages"})
    return json.dumps(about).encode() + b"\n" + made.pdf
