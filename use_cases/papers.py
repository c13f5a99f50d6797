"""Papers that partners hand in and ask for: limits of uploads, names of files, the request for a draft."""

import hashlib
from datetime import datetime
from pathlib import PurePosixPath

from records.papers import Limit
from records.partners import Partner

UPLOADS = Limit(files=20, size=60 * 1024 * 1024)
"""Of one settlement: what was uploaded is kept for ever, right or wrong."""
_LONGEST_NAME = 100


def file_name(name: str) -> str:
    """A file's name as somebody's computer has it, without folders and what cannot be shown."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(c for c in last if c.isprintable()).strip()[-_LONGEST_NAME:]


def draft_request(partner: Partner, now: datetime) -> str:
    """The name of a request for a draft: within a minute it is the same for all who click, unless what the draft says
    of the partner has changed. So it is made once, and a failed one can be asked for again soon.
    """
    named = f"{now:%Y-%m-%dT%H:%M}\n{partner.model_dump_json()}"
    return f"draft-{hashlib.sha256(named.encode()).hexdigest()[:32]}"
