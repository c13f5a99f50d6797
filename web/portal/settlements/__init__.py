"""The pages of settlements: list, selection of orders, documents, the partner's invoice, corrections."""

from fastapi import APIRouter

from web.portal.settlements import actions, listing, opening, papers, settlement

router = APIRouter(include_in_schema=False)
for _part in (listing, opening, papers, settlement, actions):
    router.include_router(_part.router)
