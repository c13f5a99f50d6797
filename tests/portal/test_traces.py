"""The page of security events, and who looked at an order, for operations only."""

import pytest

from tests.portal.kept import kept
from tests.portal.portal import Portal
from tests.portal.visitor import visitor
from tests.support.builders import TRANSMITTED

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_operations_see_events_and_who_looked(portal: Portal) -> None:
    recorder = portal.site.app.state.accounts.recorder
    sp_id = await kept(portal.site, *TRANSMITTED)
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


async def test_a_partner_s_overview_is_a_look_at_each_order_on_it(portal: Portal) -> None:
    """And operations find by the account what it looked at."""
    recorder = portal.site.app.state.accounts.recorder
    sp_id = await kept(portal.site, *TRANSMITTED)
    async with visitor(portal, "partner") as partner, visitor(portal, "operations") as staff:
        await partner.get("/")
        shown = sp_id in partner.text
        await partner.get("/orders.csv")
        assert sp_id in (partner.page.text if partner.page else "")
        await recorder.written()
        found = await portal.site.app.state.accounts.traces._lookups.of(sp_id)
        ways = {look.how for look, _ in found}
        assert ({"page", "export"} if shown else {"export"}) <= ways
        names = {
            each.login_id: each.name
            for each in await portal.site.app.state.accounts.traces._events.names()
        }
        who = names[found[0][0].login_id]
        await staff.get(f"/staff/security-events?account={who}")
        assert "Aufträge, deren Kundendaten dieses Konto angesehen hat" in staff.text
        assert sp_id in staff.text
