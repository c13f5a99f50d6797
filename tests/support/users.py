"""Adds users to the records directly, for tests that need a login but no invitation mail."""

from datetime import datetime, timedelta

from domain.people import PartnerRole
from domain.values import Language
from records.accounts import AccountRecords, UserRole
from records.links import NewLink


async def add_user(
    records: AccountRecords,
    user_id: str,
    role: UserRole,
    partner_id: str | None,
    email: str,
    name: str,
    language: Language,
    now: datetime,
    partner_role: PartnerRole = "office",
) -> None:
    """Add a user without a password. Its invitation cannot be used: nobody knows the secret of its link."""
    unusable = NewLink(
        user_id, "invitation", f"no hash of a secret {user_id}", now + timedelta(days=3)
    )
    added = await records.add_user(
        user_id, role, partner_id, email, name, language, now, unusable, partner_role
    )
    assert added, f"{email} is in use"
