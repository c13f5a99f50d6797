"""The goods of an order: what the warehouse or the partner reports of them, and each attempt to bring them."""

from datetime import datetime
from typing import Annotated, Literal, Self, TypedDict, Unpack

from pydantic import Field

from domain.fields import Instant, TextLine
from domain.values import Value


class GoodsShipped(Value):
    """The goods are on their way.

    May come twice, late or out of order: it is kept, and applied when it fits.
    """

    # Each parcel has its own tracking number, so a number that is known is a repetition.

    type: Literal["goods_shipped"] = "goods_shipped"
    tracking: TextLine = Field(examples=["99.00.123456.78901234"])


class GoodsReceived(Value):
    """The goods arrived.

    May come twice, late or out of order: it is kept, and applied when it fits.
    """

    type: Literal["goods_received"] = "goods_received"
    received_at: Instant | None = Field(None, examples=[None, "2026-11-05T10:30:00+01:00"])
    damaged: bool = False


Notice = Annotated[GoodsShipped | GoodsReceived, Field(discriminator="type")]


class ShipmentChanges(TypedDict, total=False):
    """The fields of a `Shipment` that change."""

    trackings: tuple[str, ...]
    shipped_at: datetime | None
    received_at: datetime | None


class Shipment(Value):
    """One attempt to bring the goods to the customer. Attempt 2 is the first reshipment."""

    attempt: int
    requested_at: datetime
    trackings: tuple[str, ...] = ()
    shipped_at: datetime | None = None
    received_at: datetime | None = None

    def replace(self, **changes: Unpack[ShipmentChanges]) -> Self:
        """The shipment with other values for these fields."""
        return self.model_copy(update=changes)
