"""References lead somewhere: pages and headings named in code and docs, and the links between pages, are there."""

import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]
THIS = "tests/test_references.py"
NOT_OURS = {".venv", ".git", "var", "build", "node_modules", "__pycache__", "histories", "results"}
CACHES = re.compile(r"\.\w+_cache|\.hypothesis|.*\.egg-info")
WITHOUT_SUFFIX = {"Makefile", "Dockerfile", "run", ".gitignore", ".dockerignore"}
TEXTS = {
    ".cfg",
    ".css",
    ".html",
    ".ini",
    ".js",
    ".mako",
    ".md",
    ".po",
    ".py",
    ".toml",
    ".txt",
    ".yml",
}

# `docs/mail.md`, `docs/mail.md, "Once"`, `docs/decisions/0007`; the quotes may be escaped in a string.
PAGE = re.compile(
    r"(?<![\w./-])(?<!\]\()(docs/(?:[\w-]+/)*[\w-]+\.md|docs/decisions/\d{4}(?![\w-]))"
    r'(?:, \\?"([^"\\]+)\\?")?'
)
LINK = re.compile(r'\[[^\]]*\]\(([^()\s]+)\)(?:, "([^"]+)")?')
BARE_PAGE = re.compile(r"`([\w/-]+\.md)`")
HEADING = re.compile(r"^#+ (.+?)\s*$", re.MULTILINE)
FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
WRAPPED = re.compile(r"\n[ \t]*(?:# ?)?")
# The design and the contract were once kept outside the repository under these names.
OUTSIDE = re.compile(r"\b(?:DESIGN|API\.md)\b")


class Repository(NamedTuple):
    """The text of each text file, and the paths of all files and folders, relative to the root."""

    texts: dict[str, str]
    paths: set[str]


def read(root: Path) -> Repository:
    """All that is ours below a folder."""
    texts: dict[str, str] = {}
    paths: set[str] = set()
    for folder, folders, files in os.walk(root):
        folders[:] = [f for f in folders if f not in NOT_OURS and not CACHES.fullmatch(f)]
        for name in (*folders, *files):
            path = Path(folder, name)
            relative = path.relative_to(root).as_posix()
            paths.add(relative)
            if path.is_file() and (path.suffix in TEXTS or name in WITHOUT_SUFFIX):
                texts[relative] = path.read_text(encoding="utf-8")
    return Repository(texts, paths)


def headings(text: str) -> list[str]:
    """The headings of a page as one reads them."""
    return [heading.replace("`", "") for heading in HEADING.findall(FENCE.sub("", text))]


def anchors(text: str) -> set[str]:
    """What can follow `#` in a link to a page, as Git hosts make it from the headings."""
    found: set[str] = set()
    for heading in headings(text):
        base = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        anchor, again = base, 0
        while anchor in found:
            again += 1
            anchor = f"{base}-{again}"
        found.add(anchor)
    return found


def dead_references(repository: Repository) -> Iterator[str]:
    """Each reference that leads nowhere, as a line: in which file, and to what."""
    for path, text in repository.texts.items():
        for outside in OUTSIDE.findall(text):
            yield f"{path}: {outside} is not in the repository"
        # A reference may go on in the next line of a comment or a docstring.
        for page, heading in PAGE.findall(WRAPPED.sub(" ", text)):
            yield from _dead_page(repository, path, page, heading)
        if path.endswith(".md"):
            prose = WRAPPED.sub(" ", FENCE.sub("", text))
            for target, heading in LINK.findall(prose):
                yield from _dead_link(repository, path, target, heading)
            for page in BARE_PAGE.findall(prose):
                beside = _resolved(path, page)
                if page not in repository.texts and beside not in repository.texts:
                    yield f"{path}: {page} does not exist"


def _dead_page(repository: Repository, path: str, page: str, heading: str) -> Iterator[str]:
    if not page.endswith(".md"):
        page = next((each for each in repository.texts if each.startswith(f"{page}-")), page)
    if page not in repository.texts:
        yield f"{path}: {page} does not exist"
    elif heading and heading not in headings(repository.texts[page]):
        yield f'{path}: {page} has no heading "{heading}"'


def _dead_link(repository: Repository, path: str, target: str, heading: str) -> Iterator[str]:
    if re.match(r"[a-z]+:", target):
        return
    file, _, anchor = target.partition("#")
    resolved = _resolved(path, file) if file else path
    if resolved not in repository.paths:
        yield f"{path}: {target} does not exist"
        return
    text = repository.texts.get(resolved, "")
    if anchor and anchor not in anchors(text):
        yield f"{path}: {resolved} has no anchor #{anchor}"
    if heading and resolved.endswith(".md") and heading not in headings(text):
        yield f'{path}: {resolved} has no heading "{heading}"'


def _resolved(path: str, target: str) -> str:
    """The path from the root of what a file names relative to itself."""
    return os.path.normpath(PurePosixPath(path).parent / target)


def test_every_reference_leads_somewhere() -> None:
    repository = read(ROOT)
    del repository.texts[THIS]  # its wrong ones are meant
    assert {"README.md", "docs/rules.md", "domain/orders/lifecycle.py", "Makefile"} <= set(
        repository.texts
    )
    assert list(dead_references(repository)) == []


def test_references_are_found_at_all() -> None:
    texts = read(ROOT).texts
    with_heading = [
        path
        for path, text in texts.items()
        for _, heading in PAGE.findall(WRAPPED.sub(" ", text))
        if heading and path.endswith(".py") and path != THIS
    ]
    assert len(with_heading) > 20


PAGES = {
    "docs/rules.md": "# Rules\n\n## What `counts`, and how\n\n```\n# no heading\n```\n\n## Twice\n\n## Twice\n",
    "docs/decisions/0007-a-choice.md": "# A choice\n",
}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", '"""First line (docs/rules.md, "What counts, and how")."""'),
        ("a.py", '# it is so (docs/rules.md,\n    # "What counts,\n    # and how")'),
        ("a.py", "raise Error('see docs/rules.md, \\\"Twice\\\"')"),
        ("a.py", "# docs/decisions/0007, docs/decisions/0007-a-choice.md"),
        ("README.md", "[rules](docs/rules.md#what-counts-and-how), [again](docs/rules.md#twice-1)"),
        (
            "docs/other.md",
            '[rules.md](rules.md), "Twice"; [up](../README.md); [here](#other)\n\n# Other',
        ),
        ("docs/other.md", "`rules.md`, [folder](decisions), [site](https://example.org/no.md#x)"),
        ("docs/other.md", "```\n[not a link](nowhere.md)\n```\n"),
    ],
)
def test_a_right_reference_is_let_pass(path: str, text: str) -> None:
    texts = {"README.md": "", **PAGES, path: text}
    repository = Repository(texts, {*texts, "docs", "docs/decisions"})
    assert list(dead_references(repository)) == []


@pytest.mark.parametrize(
    ("path", "text", "complaint"),
    [
        ("a.py", '"""First line (docs/gone.md)."""', "docs/gone.md does not exist"),
        ("a.py", '# (docs/rules.md, "Thrice")', 'docs/rules.md has no heading "Thrice"'),
        ("a.py", '# (docs/rules.md,\n# "Thrice")', 'docs/rules.md has no heading "Thrice"'),
        ("a.py", '# (docs/rules.md, "no heading")', 'docs/rules.md has no heading "no heading"'),
        ("a.py", "# docs/decisions/0008", "docs/decisions/0008 does not exist"),
        ("a.py", "# as in DESIGN 3", "DESIGN is not in the repository"),
        ("b.html", "as in API.md", "API.md is not in the repository"),
        ("README.md", "[gone](docs/gone.md)", "docs/gone.md does not exist"),
        ("README.md", "[gone](docs/rules.md#thrice)", "docs/rules.md has no anchor #thrice"),
        ("docs/other.md", "[here](#other)", "docs/other.md has no anchor #other"),
        (
            "docs/other.md",
            '[rules.md](rules.md), "Thrice"',
            'docs/rules.md has no heading "Thrice"',
        ),
        ("docs/other.md", "as `gone.md` says", "gone.md does not exist"),
    ],
)
def test_a_dead_reference_is_found(path: str, text: str, complaint: str) -> None:
    texts = {"README.md": "", **PAGES, path: text}
    repository = Repository(texts, set(texts))
    assert list(dead_references(repository)) == [f"{path}: {complaint}"]
