"""The text that a search reads, and how it compares texts."""

import unicodedata

from domain.orders.placement import Placement


def normalized(text: str) -> str:
    """A text in the form in which searches compare it: case-folded, in one Unicode normal form."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def searchable(placement: Placement) -> str:
    """The text that a search for orders reads: SP-ID, sales order, customer's name and place, one per line."""
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
