"""The alerts in ops/alerts.yml: each fires when it should, stays silent otherwise, and leads to the runbook."""

import re
import subprocess

import yaml

from development.embedded import ROOT
from tests.support.needs import needs

OPS = ROOT / "ops"
TESTS = ("alerts_test.yml", "alerts_of_days_test.yml")
RULES = [
    rule
    for group in yaml.safe_load((OPS / "alerts.yml").read_text())["groups"]
    for rule in group["rules"]
]


@needs("prometheus")
def test_each_alert_fires_when_it_should() -> None:
    for arguments in (["check", "rules", "alerts.yml"], ["test", "rules", *TESTS]):
        done = subprocess.run(
            ["promtool", *arguments], cwd=OPS, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    fired = {
        case["alertname"]
        for file in TESTS
        for test in yaml.safe_load((OPS / file).read_text())["tests"]
        for case in test["alert_rule_test"]
        if case["exp_alerts"]
    }
    assert fired == {rule["alert"] for rule in RULES}


def test_each_alert_has_its_section_in_the_runbook() -> None:
    text = (ROOT / "docs" / "runbook.md").read_text()
    sections = dict(re.findall(r"^## (.+)\n((?:(?!^#).*\n)*)", text, re.MULTILINE))
    for rule in RULES:
        name = rule["alert"]
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{name.lower()}"
        assert name in sections, f"docs/runbook.md has no heading {name}"
        for part in ("**Means**", "**Look**", "**Do**"):
            assert part in sections[name], (name, part)
        assert rule["labels"]["severity"] in ("page", "ticket")
    written = {heading for heading in sections if heading.startswith("Cmi")}
    assert written == {rule["alert"] for rule in RULES}
