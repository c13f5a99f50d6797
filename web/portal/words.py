"""The words of the pages: German as the source, French, Italian and English from Babel catalogues (`locale/`).

What the domain says (states, deadlines, reasons) is in `domain.words`. Here is what stands around it: in templates
`_("Deutscher Text")`, `ngettext`, `pgettext`; in Python `mark("Deutscher Text")`, which the template then translates.
`python -m scripts.catalogues --update` writes new texts into the catalogues.
"""

from collections.abc import Callable
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from domain.values import LANGUAGES, Language

LOCALE = Path(__file__).parent / "locale"
SOURCE: Language = "de"

_Key = tuple[str | None, str]
_plural: dict[Language, Callable[[int], int]] = {
    "de": lambda number: int(number != 1),
    "fr": lambda number: int(number > 1),
    "it": lambda number: int(number != 1),
    "en": lambda number: int(number != 1),
}


def mark(text: str) -> str:
    """A text that is translated where it is shown. Nothing but a mark: the catalogues are made from it."""
    return text


class Words:
    """The texts of one language. A text that its catalogues do not know stays German."""

    def __init__(self, language: Language, known: dict[_Key, tuple[str, ...]]) -> None:
        self.language: Language = language
        self._known = known

    def gettext(self, text: str) -> str:
        """A text."""
        return self._known.get((None, text), (text,))[0]

    def ngettext(self, one: str, more: str, number: int) -> str:
        """A text that depends on a number."""
        return self._counted(None, one, more, number)

    def pgettext(self, context: str, text: str) -> str:
        """A text that has several meanings, in one of them."""
        return self._known.get((context, text), (text,))[0]

    def npgettext(self, context: str, one: str, more: str, number: int) -> str:
        """A text that has several meanings and depends on a number."""
        return self._counted(context, one, more, number)

    def _counted(self, context: str | None, one: str, more: str, number: int) -> str:
        texts = self._known.get((context, one), (one, more))
        return texts[min(_plural[self.language](number), len(texts) - 1)]


def catalogue(language: Language, area: str) -> Catalog:
    """One catalogue as it is in its file; empty if there is none."""
    path = LOCALE / language / f"{area}.po"
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def areas(language: Language) -> list[str]:
    """The names of the catalogues of a language."""
    return sorted(path.stem for path in (LOCALE / language).glob("*.po"))


def _read(language: Language) -> Words:
    known: dict[_Key, tuple[str, ...]] = {}
    for area in areas(language):
        for message in catalogue(language, area):
            texts = texts_of(message.string)
            if message.id and all(texts) and not message.fuzzy:
                known[message.context or None, texts_of(message.id)[0]] = texts
    return Words(language, known)


def texts_of(given: object) -> tuple[str, ...]:
    """A text of a catalogue in its forms: one, or one for each number."""
    return tuple(map(str, given)) if isinstance(given, list | tuple) else (str(given or ""),)


WORDS: dict[Language, Words] = {language: _read(language) for language in LANGUAGES}


def say(language: Language, text: str, **values: object) -> str:
    """A marked text in this language, with its values: `%(name)s`."""
    return WORDS[language].gettext(text) % values
