"""The texts of the CMI in each language: German as it stands in code and templates, the others from `locale/`.

A German text is its own message id. Code says it with `say`, a template with `_` or `{% trans %}`; where a table keeps
it, it is marked with `mark`. `make catalogues` finds all of these and writes them into the catalogues. Values in a text
have names: `%(name)s`.

The catalogues are read when this module is imported, so that workflows, which import it outside of their sandbox, read
no file while they run. Each is compiled once, into a `.mo` file beside it: to parse them takes a process a quarter of a
second.
"""

import struct
from collections.abc import Mapping
from contextlib import suppress
from gettext import GNUTranslations, NullTranslations
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment

from domain.values import LANGUAGES, Language
from domain.values import Meaning as Meaning
from domain.values import mark as mark
from domain.values import pmark as pmark
from files.atomic import write_atomically

LOCALE = Path(__file__).resolve().parent.parent / "locale"
"""`<language>/LC_MESSAGES/cmi.po` for each language but German."""
SOURCE: Language = "de"


class Counted(NamedTuple):
    """A marked text that depends on a number."""

    one: str
    more: str


def nmark(one: str, more: str) -> Counted:
    """Mark a text that depends on a number."""
    return Counted(one, more)


def read_catalogue(path: Path, language: Language) -> GNUTranslations:
    """The translations in a `.po` file; one that is empty or fuzzy is left out, so that the text stays German.

    They are read from the `.mo` file beside it if that was compiled from this version of the file, which its time
    tells, as with Python's `.pyc`. If not, or if it ends too early, it is compiled, and kept where that is possible.

    Raises:
        babel.messages.pofile.PoFileError: the file cannot be read.
    """
    compiled, changed = path.with_suffix(".mo"), path.stat().st_mtime_ns
    with suppress(OSError, struct.error):  # the latter: a file that ends too early
        if compiled.stat().st_mtime_ns == changed:
            with compiled.open("rb") as file:
                return GNUTranslations(file)
    content = _compile(path, language)
    with suppress(OSError):
        write_atomically(compiled, content, readable_by="all", modified_ns=changed)
    return GNUTranslations(BytesIO(content))


def _compile(path: Path, language: Language) -> bytes:
    from babel.messages.mofile import write_mo  # rarely needed, and slow to load
    from babel.messages.pofile import read_po

    with path.open("rb") as file:
        catalogue = read_po(file, locale=language, abort_invalid=True)
    content = BytesIO()
    write_mo(content, catalogue)
    return content.getvalue()


def _translations(language: Language) -> NullTranslations:
    if language == SOURCE:
        return NullTranslations()
    return read_catalogue(LOCALE / language / "LC_MESSAGES" / "cmi.po", language)


TRANSLATIONS: Mapping[Language, NullTranslations] = {
    language: _translations(language) for language in LANGUAGES
}


def say(language: Language, text: str | Meaning, /, **values: object) -> str:
    """A text in this language, with its values filled in."""
    translations = TRANSLATIONS[language]
    if isinstance(text, Meaning):
        return translations.pgettext(*text) % values
    return translations.gettext(text) % values


def count(language: Language, text: Counted, number: int, /, **values: object) -> str:
    """A text that depends on a number in this language; `number` is one of its values, too."""
    return TRANSLATIONS[language].ngettext(*text, number) % {"number": number, **values}


def translate(environment: Environment, language: Language) -> None:
    """Let the templates of this environment say `_`, `ngettext`, `pgettext` and `{% trans %}` in this language."""
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_translations(TRANSLATIONS[language], newstyle=True)  # type: ignore[attr-defined]
