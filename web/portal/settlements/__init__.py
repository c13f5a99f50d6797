"""The pages of settlements: list, selection of orders, documents, the invoice and its payment, corrections."""

from fastapi import APIRouter

from web.portal.settlements import actions, listing, opening, papers, payment, settlement

router = APIRouter(include_in_schema=False)
for _part in (listing, opening, papers, settlement, actions, payment):
    router.include_router(_part.router)
