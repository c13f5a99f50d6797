"""The pages of orders: a partner's overview, lists with search, and the page of an order with its forms."""

from fastapi import APIRouter

from web.portal.orders import (
    actions,
    another_day,
    data_protection,
    listing,
    order,
    overview,
    proposals,
    reminders,
)

router = APIRouter(include_in_schema=False)
for _part in (
    overview,
    listing,
    proposals,
    reminders,
    another_day,
    order,
    data_protection,
    actions,
):
    router.include_router(_part.router)
