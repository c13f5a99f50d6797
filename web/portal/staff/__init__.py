"""The pages of operations: what needs them, partners and logins, how punctual partners were."""

from fastapi import APIRouter

from web.portal.staff import logins, partners, reports, situation

router = APIRouter(include_in_schema=False)
for _part in (situation, reports, partners, logins):
    router.include_router(_part.router)
