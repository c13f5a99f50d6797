"""`starter.py partner`: files of partners, with their status and policy."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from records.tokens import Token, Tokens
from tests.activities.conftest import partner
from tests.server.surroundings import Surroundings, surroundings
from tests.server.test_reconciler import starter

FIRM = partner("firm").model_dump(mode="json", exclude={"status", "policy"})


async def put(around: Surroundings, **changes: Any) -> tuple[int, str, str]:
    """Give the command a file with the firm; its exit code, and what it printed."""
    file = around.folder / "partners.json"
    file.write_text(json.dumps([{**FIRM, **changes}]))
    done = await starter(around, "partner", str(file))
    return done.returncode, done.stdout, done.stderr


async def test_status_and_policy_of_a_file(tmp_path: Path) -> None:
    policies = tmp_path / "policies"
    policies.mkdir()
    (policies / "own.toml").write_text('[deadlines]\naccept = "none"')
    async with surroundings(tmp_path, up=False, CMI_POLICIES=str(policies)) as around:
        tokens = Tokens(around.database)

        async def known() -> tuple[str, str | None, str]:
            stored = await around.partners.get("firm")
            assert stored is not None
            return stored.status, stored.policy, stored.city

        assert await put(around, policy="own") == (0, "firm ZH Firm AG\n", "")
        assert await known() == ("active", "own", "Zürich")
        now = datetime.now(UTC)
        token = Token(
            token_id="tok_1", role="partner", partner_id="firm", name="Plan", created_at=now,
            last_used_at=None, expires_at=None, revoked_at=None,
        )  # fmt: skip
        await tokens.add(token, "hash")

        code, out, complaint = await put(around, policy="gone", city="Bern")
        assert (code, out) == (2, "")
        assert complaint == "firm: policy: there is no policy with this name: gone\n"
        assert await known() == ("active", "own", "Zürich")

        assert (await put(around, city="Bern"))[0] == 0
        assert await known() == ("active", "own", "Bern")
        assert await tokens.find("hash", now) is not None
        assert (await put(around, status="ended"))[0] == 0
        assert await known() == ("ended", "own", "Zürich")
        assert (await put(around, status="active"))[0] == 0
        assert await tokens.find("hash", now) is None, "as when the API ends a partner"
        code, _, complaint = await put(around, status="gone")
        assert code == 2
        assert "status" in complaint

        (policies / "own.toml").write_text('[deadlines]\naccept = "soon"')
        code, _, complaint = await put(around)
        assert code == 2
        assert complaint.startswith("CMI_POLICIES: ")
        assert complaint.count("\n") == 1
