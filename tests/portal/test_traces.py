"""The page of security events, and who looked at an order, for operations only."""

import pytest

from tests.portal.portal import Portal
from tests.portal.visitor import visitor

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_operations_see_events_and_who_looked(portal: Portal) -> None:
    recorder = portal.site.app.state.accounts.recorder
    sp_id = await portal.site.new()
    async with visitor(portal, "partner") as partner, visitor(portal, "operations") as staff:
        assert (await partner.get("/staff/security-events")).status_code == 403
        assert (await partner.get(f"/orders/{sp_id}")).status_code == 200
        assert "Wer hat diese Kundendaten angesehen" not in partner.text
        await recorder.written()
        await staff.get("/staff/security-events?kind=access_refused")
        assert "Zugriff verweigert: verweigert" in staff.text
        assert "/staff/security-events" in staff.text
        await staff.get(f"/orders/{sp_id}")
        assert "Wer hat diese Kundendaten angesehen" in staff.text
        assert "auf einer Seite" in staff.text
