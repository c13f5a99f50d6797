"""A logged-in user without a browser, who sends forms by HTTP: for tests that need no rendering."""

import re
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from typing import Any

import httpx

from domain.values import Language
from tests.portal.portal import PARTNER, PASSWORD, Portal
from tests.support.limits import WAIT_LIMIT
from tests.web.site import NO_AUTHORITIES
from use_cases.principal import Role
from web.security import session_cookie

SAME = {"Sec-Fetch-Site": "same-origin"}


class Visitor:
    """A user's session. `page` is the last page received."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.page: httpx.Response | None = None

    async def get(self, path: str) -> httpx.Response:
        """Get a page."""
        self.page = await self.http.get(path)
        return self.page

    async def post(self, path: str, fields: dict[str, Any], **changed: str) -> httpx.Response:
        """Send a form with the hidden fields of the last page; `changed` replaces some of them."""
        hidden = {"form_token": self.http.cookies.get("cmi_form", ""), "request_id": "A" * 22}
        self.page = await self.http.post(path, data={**hidden, **changed, **fields}, headers=SAME)
        return self.page

    @property
    def text(self) -> str:
        """The text of the page, without tags."""
        assert self.page is not None
        main = self.page.text.partition("<main")[2]
        return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", main)))

    def value(self, name: str) -> str | None:
        """The value of a field on the page."""
        assert self.page is not None
        found = re.search(
            rf'<input[^>]* name="{re.escape(name)}"[^>]* value="([^"]*)"', self.page.text
        )
        if found is None:
            found = re.search(
                rf'<textarea[^>]* name="{re.escape(name)}"[^>]*>\n?([^<]*)</textarea>',
                self.page.text,
            )
        return unescape(found[1]) if found else None


@asynccontextmanager
async def visitor(
    portal: Portal, role: Role, language: Language = "de", partner_id: str = PARTNER
) -> AsyncIterator[Visitor]:
    """Somebody of this role, logged in and with the token for forms."""
    login = await portal.login(role, language, partner_id)
    state = portal.site.app.state
    session = await state.accounts.sessions.log_in(login.email, PASSWORD, "2001:db8::77")
    # as if it had seen one of our pages: any token will do that is in the cookie and in the form
    cookies = {
        session_cookie(state.settings): session.secret,
        "cmi_form": secrets.token_urlsafe(32),
    }
    async with httpx.AsyncClient(
        base_url=portal.site.address, cookies=cookies, timeout=WAIT_LIMIT, verify=NO_AUTHORITIES
    ) as http:
        yield Visitor(http)
