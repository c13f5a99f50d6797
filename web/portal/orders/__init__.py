"""The pages of orders: a partner's overview, lists with search, and the page of an order with its forms."""

from fastapi import APIRouter

from web.portal.orders import (
    actions,
    another_day,
    assigning,
    data_protection,
    for_operations,
    listing,
    message_forms,
    order,
    overview,
    photo_forms,
    proposals,
    protocol,
    reminders,
    sheet,
    views,
)

router = APIRouter(include_in_schema=False)
for _part in (
    overview,
    listing,
    views,
    proposals,
    reminders,
    another_day,
    assigning,
    for_operations,
    photo_forms,
    protocol,
    sheet,
    order,
    data_protection,
    message_forms,
    actions,
):
    router.include_router(_part.router)
