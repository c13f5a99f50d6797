"""The pages of operations: what needs attention, punctuality reports, partners, logins and tokens."""

from fastapi import APIRouter

from web.portal.staff.factors import router as factors
from web.portal.staff.logins import router as logins
from web.portal.staff.partners import router as partners
from web.portal.staff.reports import router as reports
from web.portal.staff.several import router as several
from web.portal.staff.situation import router as situation
from web.portal.staff.tables import router as tables
from web.portal.staff.traces import router as traces

router = APIRouter(include_in_schema=False)
for _part in (situation, several, reports, partners, logins, factors, traces, tables):
    router.include_router(_part)
