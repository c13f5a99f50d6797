"""The execution protocol of an order: what was checked and done at the place, when, and who signed it."""

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Annotated, Literal, Self, TypedDict, Unpack

from pydantic import Field

from domain.errors import InvalidCommand
from domain.fields import Identifier, Instant, Note, TextLine
from domain.orders.order import Order, Status
from domain.orders.photos import PhotoRefusal, why_not_added
from domain.values import OPEN, Value

Item = Literal[
    "level", "fixed", "connected", "tested", "explained", "undamaged", "packaging", "clean"
]
CheckResult = Literal["done", "not_done", "not_needed"]
Ending = Literal["signed", "refused", "absent"]
"""How a protocol ends: with the customer's signature, or without it because the customer refused or was not there."""
ProtocolRefusal = PhotoRefusal | Literal["not_yet"]

_USUAL: tuple[Item, ...] = ("connected", "tested", "explained", "undamaged", "packaging", "clean")
_ITEMS: Mapping[str, tuple[Item, ...]] = {
    "install-washing-machine": ("level", *_USUAL),
    "install-dryer": ("level", *_USUAL),
    "install-dishwasher": ("level", "fixed", *_USUAL),
    "install-fridge": ("level", *_USUAL),
    "install-oven": ("fixed", *_USUAL),
    "install-hob": ("fixed", *_USUAL),
    "install-hood": ("fixed", *_USUAL),
    "mount-tv": ("fixed", *_USUAL),
    "mount-projector": ("fixed", *_USUAL),
    "assemble-furniture": ("level", "fixed", "undamaged", "packaging", "clean"),
}

WIDTH, HEIGHT = 1000, 400
"""The size of the field for the signature. The coordinates of strokes are whole numbers within it."""
MOST_STROKES = 200
MOST_POINTS = 4000
"""How many points the strokes of a signature have together, at most."""
_LEAST_LENGTH = 150
"""The least length of a signature's strokes, so that a dot or a slip does not count as one."""
LONGEST_WORK = timedelta(days=3)
"""The longest time on site in one protocol, which is about one visit."""
_CLOCKS_DIFFER = timedelta(minutes=5)
MOST_VERSIONS = 20

Point = tuple[Annotated[int, Field(ge=0, le=WIDTH)], Annotated[int, Field(ge=0, le=HEIGHT)]]
Strokes = tuple[tuple[Point, ...], ...]

_POSSIBLE_IN = (
    Status.SET_APPOINTMENT,
    Status.CONFIRM_EXECUTION,
    Status.UNDER_REVIEW,
    Status.ON_HOLD,
    Status.COMPLETED,
    Status.BILLED,
)


class Checked(Value):
    """An item of the checklist: its code, or its text if the policy has its own list, and the answer."""

    item: TextLine
    result: Annotated[CheckResult, OPEN]


class NamedPhoto(Value):
    """A picture that a protocol names, by its id and the SHA-256 of its content."""

    photo_id: Identifier
    sha256: str


class Protocol(Value):
    """A protocol as it is stored.

    Attributes:
        signer: the name of who signed.
        strokes: the signature that was drawn on the screen.
        signature_photo: the picture of the signature on paper, in place of `strokes`.
        reason: why there is no signature.
        photos: the photos that the order had. They stay as long as the protocol does.
    """

    checklist: tuple[Checked, ...]
    begun: Instant
    ended: Instant
    remarks: Note = ""
    materials: Note = ""
    ending: Annotated[Ending, OPEN]
    signer: str = ""
    strokes: Strokes = ()
    signature_photo: NamedPhoto | None = None
    reason: Note = ""
    photos: tuple[NamedPhoto, ...] = ()

    def replace(self, **changes: Unpack["ProtocolChanges"]) -> Self:
        """The protocol with changed fields."""
        return self.model_copy(update=changes)

    @property
    def pictures(self) -> tuple[NamedPhoto, ...]:
        """All pictures that it names."""
        return (*self.photos, *([self.signature_photo] if self.signature_photo else []))


class ProtocolChanges(TypedDict, total=False):
    """The fields of a `Protocol` that change."""

    signature_photo: NamedPhoto | None
    photos: tuple[NamedPhoto, ...]


class ProtocolVersion(Value):
    """A stored protocol with its author and time. A later version replaces it; earlier ones are kept.

    `partner_name` is the firm's, `author` that of the login or token that wrote it.
    """

    sp_id: str
    version: int
    partner_id: str
    partner_name: str
    at: Instant
    side: str
    login_id: str
    author: str
    protocol: Protocol

    def replace(self, **changes: Unpack["VersionChanges"]) -> Self:
        """The version with changed fields."""
        return self.model_copy(update=changes)

    @property
    def sha256(self) -> str:
        """SHA-256 of the whole version, in hexadecimal: each letter and each point of the signature changes it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class VersionChanges(TypedDict, total=False):
    """The fields of a `ProtocolVersion` that change."""

    version: int
    protocol: Protocol


def checklist_of(order: Order) -> tuple[str, ...]:
    """The items that the order's protocol asks about: codes (`Item`), or the texts of its policy."""
    service = order.intake.placement.service.code
    return order.policy.protocol.checklists.get(service) or _ITEMS.get(service, _USUAL)


def is_required(order: Order) -> bool:
    """Whether the partner can confirm the execution only with a protocol."""
    return order.policy.protocol.requires(order.intake.placement.service.code)


def counts(order: Order, version: ProtocolVersion) -> bool:
    """Whether a protocol is one of the order's partner, since the order was sent to it."""
    since = order.transmitted_at
    return (
        version.partner_id == order.partner.partner_id and since is not None and version.at >= since
    )


def why_no_protocol(order: Order) -> ProtocolRefusal | None:
    """The code of the refusal to write a protocol now; None if it is possible: once the work can have been done."""
    code = why_not_added(order)
    if code is not None:
        return code
    return None if order.status in _POSSIBLE_IN else "not_yet"


def check_protocol(order: Order, new: Protocol, now: datetime, *, has_picture: bool) -> None:
    """Check a protocol that somebody writes. `has_picture`: with the picture of a signature on paper.

    Raises:
        InvalidCommand: an item is missing or foreign, the times are impossible, or the signature or its reason is
            missing.
    """
    asked = checklist_of(order)
    given = [each.item for each in new.checklist]
    for item in asked:
        if item not in given:
            raise InvalidCommand(f"checklist.{item}", "item_missing")
    for item in given:
        if item not in asked:
            raise InvalidCommand(f"checklist.{item}", "item_not_asked")
    _check_times(order, new, now)
    _check_ending(new, has_picture)


def _check_times(order: Order, new: Protocol, now: datetime) -> None:
    if new.ended > now + _CLOCKS_DIFFER:
        raise InvalidCommand("ended", "work_in_future")
    if new.ended <= new.begun:
        raise InvalidCommand("ended", "work_ends_before_begin")
    if new.ended - new.begun > LONGEST_WORK:
        raise InvalidCommand("ended", "work_too_long")
    day_of = order.calendar.local
    if order.placed_at is not None and day_of(new.begun).date() < day_of(order.placed_at).date():
        raise InvalidCommand("begun", "work_before_order")


def _check_ending(new: Protocol, has_picture: bool) -> None:
    match new.ending:
        case "signed":
            if not new.signer:
                raise InvalidCommand("signer", "signer_missing")
            if has_picture and new.strokes:
                raise InvalidCommand("strokes", "two_signatures")
            if not has_picture and _length(new.strokes) < _LEAST_LENGTH:
                raise InvalidCommand("strokes", "signature_missing")
            if len(new.strokes) > MOST_STROKES or sum(map(len, new.strokes)) > MOST_POINTS:
                raise InvalidCommand("strokes", "signature_too_long")
            if new.reason:
                raise InvalidCommand("reason", "reason_with_signature")
        case _:
            if not new.reason:
                raise InvalidCommand("reason", "no_signature_needs_reason")
            if new.strokes or has_picture or new.signer:
                raise InvalidCommand("ending", "signature_not_asked")


def _length(strokes: Strokes) -> int:
    """The length of all strokes together, in the units of their coordinates; each step by its longer side."""
    return sum(
        max(abs(x - before_x), abs(y - before_y))
        for stroke in strokes
        for (before_x, before_y), (x, y) in pairwise(stroke)
    )


def svg_path(strokes: Strokes) -> str:
    """The strokes as the `d` of an SVG path, within a view box of `WIDTH` by `HEIGHT`."""
    return " ".join(
        "M" + " L".join(f"{x} {y}" for x, y in stroke) for stroke in strokes if len(stroke) > 1
    )
