"""The summary of errors above a form names each field as its label does, and links to it."""

import re

import pytest

from web.portal.field_names import FIELD_NAMES
from web.portal.pages import HERE, _environments
from words.translations import say

_FIELD = re.compile(
    r'\{\{\s*(?:field|select|textarea|radio|checkbox)\("([\w.-]+)", _\("([^"]+)"\)(.*?)\}\}',
    re.DOTALL,
)
_FOLDERS = ("account", "settlements", "staff")
_ALONE = {"account/second_factor.html"}
"""Pages with one field and no summary."""


def labels() -> list[tuple[str, str, str]]:
    """The templates' fields that can be wrong: file, id and label."""
    found = []
    for path in sorted(
        each for folder in _FOLDERS for each in (HERE / "templates" / folder).iterdir()
    ):
        for name, label, rest in _FIELD.findall(path.read_text()):
            own = re.search(r'\bid="([^"]+)"', rest)
            if "errors" in rest:
                found.append((f"{path.parent.name}/{path.name}", own[1] if own else name, label))
    return [each for each in found if each[0] not in _ALONE]


def test_each_field_has_the_name_of_its_label() -> None:
    found = labels()
    assert len(found) > 30
    wrong = [each for each in found if FIELD_NAMES.get(each[1]) != each[2]]
    assert not wrong


@pytest.mark.parametrize("language", ["de", "fr"])
def test_the_summary_names_and_links_the_field(language: str) -> None:
    made = _environments[language].from_string(  # type: ignore[index]
        '{% from "macros.html" import summary %}{{ summary({"former": "<x>", "other": "y"}) }}'
    )
    label = say(language, FIELD_NAMES["former"])  # type: ignore[arg-type]
    html = made.render()
    assert f'<a href="#former">{label}: &lt;x&gt;</a>' in html
    assert '<a href="#other">y</a>' in html
