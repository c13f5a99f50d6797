"""What searches look through, and how a search compares texts."""

import unicodedata

from domain.orders.order import Placement


def normalized(text: str) -> str:
    """A text without differences of case and of Unicode spelling, as searches compare it."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def searchable(placement: Placement) -> str:
    """What a search for an order looks through: SP-ID, sales order, customer's name and place, one per line."""
    customer = placement.customer
    return normalized(
        "\n".join(
            (
                placement.sp_id,
                placement.sales_order_id,
                customer.name,
                f"{customer.postal_code} {customer.city}",
            )
        )
    )
