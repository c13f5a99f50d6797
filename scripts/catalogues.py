"""The texts of the pages and their catalogues: which are missing, empty or unused. `--update` writes new ones in.

    python -m scripts.catalogues                       says what is missing where
    python -m scripts.catalogues --update [area …]     adds new texts, empty, and takes out what nobody says any more

A text belongs to the area in whose templates or code it stands. What several areas say may stand in `common.po`.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.pofile import write_po

from domain.values import LANGUAGES, Language
from web.portal.words import LOCALE, SOURCE, areas, catalogue, texts_of

PORTAL = LOCALE.parent
COMMON = "common"
ACCOUNT = "account"
_OF_ACCOUNT = ("entrance", ACCOUNT)
_KEYWORDS = {
    "_": None,
    "mark": None,
    "gettext": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}
_TEMPLATES = {"trimmed": "false", "silent": "false"}

Key = tuple[str | None, tuple[str, ...]]


class Said(NamedTuple):
    """A text that the pages say, and where."""

    area: str
    key: Key
    where: str


def area_of(path: Path) -> str:
    """The area of a module or template of the portal: its folder, or what everything shares."""
    inside = path.relative_to(PORTAL).with_suffix("").parts
    if inside[0] == "templates":
        inside = inside[1:]
    if inside[0] in _OF_ACCOUNT:
        return ACCOUNT
    return inside[0] if len(inside) > 1 else COMMON


def said() -> Iterator[Said]:
    """All texts of the portal, as Babel finds them in its code and templates."""
    for suffix, method, options in ((".py", "python", {}), (".html", "jinja2", _TEMPLATES)):
        for path in sorted(PORTAL.rglob(f"*{suffix}")):
            found = extract_from_file(
                method, path, keywords=_KEYWORDS, options={"encoding": "utf-8", **options}
            )
            for line, text, _, context in found:
                where = f"{path.relative_to(PORTAL)}:{line}"
                yield Said(area_of(path), (context, texts_of(text)), where)


def key_of(message: Message) -> Key:
    """What names a text in a catalogue."""
    return (message.context or None, texts_of(message.id))


def translated(language: Language, area: str) -> dict[Key, Message]:
    """The texts of a catalogue."""
    return {key_of(each): each for each in catalogue(language, area) if each.id}


def faults() -> Iterator[str]:
    """Each text that is missing, empty, uncertain, unused, or said in two ways, as a line."""
    texts = list(said())
    by_area: dict[str, set[Key]] = {}
    for each in texts:
        by_area.setdefault(each.area, set()).add(each.key)
    for language in LANGUAGES:
        if language == SOURCE:
            continue
        known = {area: translated(language, area) for area in areas(language)}
        common = known.get(COMMON, {})
        for each in texts:
            if each.key not in known.get(each.area, {}) and each.key not in common:
                yield f"{language}/{each.area}: missing: {each.key[1][0]!r} ({each.where})"
        ways: dict[tuple[str | None, str], tuple[str, ...]] = {}
        for area, messages in known.items():
            used = {key for keys in by_area.values() for key in keys}
            wanted = used if area == COMMON else by_area.get(area, set())
            for key, message in messages.items():
                strings = texts_of(message.string)
                if key not in wanted:
                    yield f"{language}/{area}: nobody says {key[1][0]!r}"
                if not all(strings):
                    yield f"{language}/{area}: empty: {key[1][0]!r}"
                if message.fuzzy:
                    yield f"{language}/{area}: fuzzy: {key[1][0]!r}"
                if ways.setdefault((key[0], key[1][0]), strings) != strings:
                    yield f"{language}/{area}: said in another way elsewhere: {key[1][0]!r}"


def update(only: list[str]) -> None:
    """Bring the catalogues (of these areas, or all) up to date with the pages; translations that are there stay."""
    texts = list(said())
    for language in LANGUAGES:
        if language == SOURCE:
            continue
        common = translated(language, COMMON)
        everything = {each.key for each in texts}
        for area in only or sorted({each.area for each in texts} | {COMMON}):
            wanted = dict.fromkeys(each.key for each in texts if each.area == area)
            if area == COMMON:
                wanted |= dict.fromkeys(key for key in common if key in everything)
            else:
                wanted = {key: None for key in wanted if key not in common}
            known = translated(language, area)
            made = Catalog(locale=language, fuzzy=False)
            for context, text in wanted:
                old = known.get((context, text))
                single = text if len(text) > 1 else text[0]
                string = old.string if old else ("",) * len(text) if len(text) > 1 else ""
                made.add(single, string, context=context)
            path = LOCALE / language / f"{area}.po"
            with path.open("wb") as file:
                write_po(file, made, omit_header=True, width=120)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--update"]:
        update(sys.argv[2:])
    found = list(faults())
    print("\n".join(found) or "All texts are there in all languages.")
    sys.exit(bool(found))
