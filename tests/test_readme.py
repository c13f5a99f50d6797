"""README.md is true: it lists the settings of the code, and the commands that it names exist."""

import re
from pathlib import Path

from settings import Settings

README = Path(__file__).parents[1] / "README.md"


def settings_table() -> str:
    """The table of settings, as it stands in the README between its two marks."""
    rows = ["| variable | default | meaning |", "| --- | --- | --- |"]
    for name, default, meaning in Settings.variables():
        rows.append(f"| `{name}` | {f'`{default}`' if default else ''} | {meaning} |")
    return "\n".join(rows)


def test_the_readme_lists_the_settings() -> None:
    """To mend it, put the output of `python -m tests.test_readme` between the marks."""
    found = re.search(
        r"<!-- settings -->\n(.*)\n<!-- /settings -->",
        README.read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert found, "the marks are missing"
    assert found.group(1) == settings_table()


def test_every_command_that_the_readme_names_is_there() -> None:
    text = README.read_text(encoding="utf-8")
    for script in re.findall(r"`python (\w+\.py)", text):
        assert (README.parent / script).exists(), script
    makefile = (README.parent / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"`make ([\w-]+)", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


if __name__ == "__main__":
    print(settings_table())
