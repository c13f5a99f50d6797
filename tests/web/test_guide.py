"""docs/api-guide.md: its commands, run as a reader would, lead from a token to an accepted invoice."""

import asyncio
import os
import re

import pytest

from development.embedded import ROOT
from tests.support.needs import needs
from tests.web.site import API, Site

pytestmark = [
    pytest.mark.asyncio(loop_scope="session"),
    needs("curl"),
    needs("pango"),
]

GUIDE = (ROOT / "docs" / "api-guide.md").read_text(encoding="utf-8")


async def test_the_commands_of_the_guide(cmi: Site) -> None:
    blocks = re.findall(r"^```bash\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 9
    script = "\n".join(["set -euo pipefail", *blocks, 'echo; echo "done with $SP_ID"'])
    process = await asyncio.create_subprocess_exec(
        "bash",
        "-c",
        script,
        env={
            "PATH": os.environ["PATH"],
            "CMI": cmi.address,
            "PARTNER_TOKEN": cmi.tokens["partner"],
            "SHOP_TOKEN": cmi.tokens["shop"],
            "WAREHOUSE_TOKEN": cmi.tokens["warehouse"],
            "POLL_SECONDS": "0.2",
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    text = output.decode()
    print(text)
    assert process.returncode == 0
    sp_id = text.rpartition("done with ")[2].strip()
    order = (await cmi.operations.get(f"{API}/orders/{sp_id}")).json()
    assert order["status"] == "billed"
    settlement = (await cmi.operations.get(f"{API}/settlements/{order['settlement_id']}")).json()
    assert settlement["status"] == "invoiced"
