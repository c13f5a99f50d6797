"""The rules of photos from the place of an order (docs/rules.md, "On site")."""

from datetime import datetime, timedelta
from typing import Literal, NamedTuple

from domain.errors import InvalidCommand
from domain.orders.erasure import is_erased
from domain.orders.messages import Side, has_partner
from domain.orders.order import Order, Status

PhotoKind = Literal["photo", "signature"]
"""`signature`: the picture of a signature on paper. It is not counted among the photos."""
PhotoRefusal = Literal[
    "erased", "nobody_has_it", "another_has_it", "order_cancelled", "ended_long_ago", "in_protocol"
]

MOST = 10
"""How many photos an order has at most, and how many pictures of signatures, from each partner that had it."""
MOST_A_DAY = 500
"""How many pictures a partner can add within a day."""
DAY = timedelta(days=1)
LARGEST = 10 << 20
"""The most bytes of a file that is sent. What is stored is smaller."""


class Picture(NamedTuple):
    """A picture as it is stored: a JPEG without metadata, and a small one to be shown beside others.

    Attributes:
        content: the JPEG, whose longer side has at most `documents.picture_process.LONGEST` pixels.
        small: the same, with at most `documents.picture_process.SMALL` pixels.
        sha256: of `content`, in hexadecimal.
    """

    content: bytes
    small: bytes
    width: int
    height: int
    sha256: str


class Photo(NamedTuple):
    """What is known of a stored picture, without its content.

    Attributes:
        partner_id: the partner that had the order when it was added. Only that partner and operations see it.
        author: the name of the login or token that added it; `login_id` is its id.
        size: the bytes of the stored picture.
    """

    photo_id: str
    sp_id: str
    partner_id: str
    kind: PhotoKind
    sha256: str
    width: int
    height: int
    size: int
    at: datetime
    side: Side
    login_id: str
    author: str


def why_not_added(order: Order) -> PhotoRefusal | None:
    """The code of the refusal to add photos or a protocol to this order now; None if it is possible.

    It is possible from the moment the partner has the order until the customer's data are erased: also after the
    execution was confirmed, and for what happened at the place of an order that goes on otherwise.
    """
    if is_erased(order):
        return "erased"
    if order.status is Status.CANCELLED:
        return "order_cancelled"
    if not has_partner(order):
        return "nobody_has_it"
    return None


def can_see(photo: Photo, side: Side, partner_id: str | None) -> bool:
    """Whether a side sees a picture: operations see all, a partner what was added while it had the order."""
    match side:
        case "operations":
            return True
        case "partner":
            return photo.partner_id == partner_id


def check_photo_limits(kept: int, within_a_day: int) -> None:
    """Check how many pictures of this kind the order has, and how many its partner added within a day.

    Raises:
        InvalidCommand: one more is too many.
    """
    if kept >= MOST:
        raise InvalidCommand("photo", "too_many_photos")
    if within_a_day >= MOST_A_DAY:
        raise InvalidCommand("photo", "too_many_photos_now")
