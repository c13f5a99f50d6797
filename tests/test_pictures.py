"""The pictures of the docs show what is so: the imports between packages, and what their text sources say."""

import html
import re

import pytest

from tests.packages_picture import PICTURES, source, without_implied
from tests.test_architecture import ROOT, Tree

EDGE = re.compile(r'^  "?([\w.]+)"? -> "?([\w.]+)"?', re.MULTILINE)
TITLE = re.compile(r"<title>([^<]+)-(?:&gt;|>)([^<]+)</title>")


@pytest.fixture(scope="module")
def tree() -> Tree:
    """The source, which is read once."""
    return Tree(ROOT)


def test_the_picture_of_packages_shows_the_imports(tree: Tree) -> None:
    """If it does not, `make pictures` draws it anew."""
    drawn = (PICTURES / "packages.dot").read_text(encoding="utf-8")
    assert drawn == source(tree)


def test_another_import_is_another_picture(tree: Tree) -> None:
    picture = source(tree)
    changed = tree.changed("worker", tree.sources["worker"] + "\nimport web.app\n")
    assert source(changed) != picture


def test_an_import_that_follows_from_others_is_not_drawn() -> None:
    imports = {"web": {"use_cases", "domain"}, "use_cases": {"domain"}, "domain": set[str]()}
    assert without_implied(imports) == {
        "web": {"use_cases"},
        "use_cases": {"domain"},
        "domain": set(),
    }


@pytest.mark.parametrize("picture", ["architecture", "packages"])
def test_the_pictures_are_drawn_from_their_sources(picture: str) -> None:
    """Each arrow of the source is in the picture, and no other."""
    text = (PICTURES / f"{picture}.dot").read_text(encoding="utf-8")
    drawn = html.unescape((PICTURES / f"{picture}.svg").read_text(encoding="utf-8"))
    assert len(EDGE.findall(text)) > 10
    assert sorted(TITLE.findall(drawn)) == sorted(EDGE.findall(text))
