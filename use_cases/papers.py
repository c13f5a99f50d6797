"""Helpers for papers: limits of uploads, names of files, the key of a request for a draft."""

import hashlib
from datetime import datetime
from pathlib import PurePosixPath

from domain.settlements.invoicing import OwnInvoice
from records.papers import Limit
from records.partners import Partner

UPLOADS = Limit(files=20, size=60 * 1024 * 1024)
"""The limit for one settlement. Wrong uploads count as well; their bytes are deleted after a month."""
_LONGEST_NAME = 100


class NoSuchPaper(Exception):
    """This paper of the settlement does not exist (yet)."""


def file_name(name: str) -> str:
    """The name of an uploaded file, without folders and unprintable characters."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(c for c in last if c.isprintable()).strip()[-_LONGEST_NAME:]


def draft_request(partner: Partner, now: datetime) -> str:
    """The key of a request for a draft: the same within one minute, unless the partner's data have changed.

    So simultaneous requests make one draft, and a failed one can soon be requested again.
    """
    named = f"{now:%Y-%m-%dT%H:%M}\n{partner.model_dump_json()}"
    return f"draft-{hashlib.sha256(named.encode()).hexdigest()[:32]}"


def invoice_request(partner: Partner, invoice: OwnInvoice, returns: int, now: datetime) -> str:
    """The key of a request to make an invoice, like `draft_request`. `returns`: how often one has been returned."""
    named = f"{draft_request(partner, now)}\n{invoice.model_dump_json()}\n{returns}"
    return f"invoice-{hashlib.sha256(named.encode()).hexdigest()[:32]}"
