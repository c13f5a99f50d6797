"""How many invoices a partner may upload, and when it may go on (docs/settlement.md, "Limits")."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal, NamedTuple

WINDOW = timedelta(hours=24)
"""For how long an upload counts."""
_MEBIBYTE = 1 << 20
_LARGEST = 20  # MiB: the largest invoice must have room

Kind = Literal["files", "megabytes", "checks"]


class Quota(NamedTuple):
    """What one partner may upload within `WINDOW`, over all its settlements; 0: no limit.

    The standard values: a partner uploads one invoice a month and a few that are wrong before it. 60 files are enough
    for a month with several settlements, each of which takes 20. 200 MiB are ten of the largest. 10 checks at once keep
    the workers busy for less than two minutes.
    """

    files: int = 60
    megabytes: int = 200
    checks: int = 10


class PastUpload(NamedTuple):
    """An upload within `WINDOW`: when, how many bytes, and whether its check is not finished."""

    at: datetime
    size: int
    is_unchecked: bool


class Excess(NamedTuple):
    """The limit that one more upload would exceed, and when there is room again.

    For `checks` it is the latest time: there is room as soon as one of them is finished.
    """

    kind: Kind
    limit: int
    frees_at: datetime


def excess(quota: Quota, past: Sequence[PastUpload], size: int) -> Excess | None:
    """The limit that an upload of `size` bytes would exceed, beside those within `WINDOW`; None: there is room."""
    past = sorted(past)
    unchecked = [upload for upload in past if upload.is_unchecked]
    if quota.checks and len(unchecked) >= quota.checks:
        frees = unchecked[len(unchecked) - quota.checks].at
        return Excess("checks", quota.checks, frees + WINDOW)
    if quota.files and len(past) >= quota.files:
        return Excess("files", quota.files, past[len(past) - quota.files].at + WINDOW)
    room = quota.megabytes * _MEBIBYTE - size - sum(upload.size for upload in past)
    if quota.megabytes and room < 0:
        last = past[-1].at if past else None
        for upload in past:
            room += upload.size
            if room >= 0:
                last = upload.at
                break
        assert last is not None, "the largest invoice has room"
        return Excess("megabytes", quota.megabytes, last + WINDOW)
    return None


def parse_quota(text: str) -> Quota:
    """The limits of `kind=number[,kind=number…]`, and the standard values of the others.

    Raises:
        ValueError: an entry names no limit, or has no possible number.
    """
    quota = Quota()
    for entry in filter(None, (part.strip() for part in text.split(","))):
        kind, _, number = (part.strip() for part in entry.partition("="))
        if kind not in Quota._fields:
            raise ValueError(f"must be kind=number, with a kind of {', '.join(Quota._fields)}")
        if not (number.isascii() and number.isdecimal() and int(number) <= 100_000):
            raise ValueError(f"{kind} must be a number from 0 (no limit) to 100000")
        if kind == "megabytes" and 0 < int(number) < _LARGEST:
            raise ValueError(f"megabytes must be 0 or at least {_LARGEST}, the largest invoice")
        quota = quota._replace(**{kind: int(number)})
    return quota
