"""The catalogues: complete, in use, right in form, and as `make catalogues` leaves them."""

import errno
import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po
from jinja2 import DictLoader, Environment

import words
from domain.orders.order import Status
from domain.values import LANGUAGES, Language
from words.translations import (
    LOCALE,
    SOURCE,
    TRANSLATIONS,
    Counted,
    count,
    mark,
    nmark,
    pmark,
    read_catalogue,
    say,
    translate,
)

TRANSLATED: list[Language] = [each for each in LANGUAGES if each != SOURCE]
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[^ ]")
LONG = 12  # letters of a sentence that two languages cannot share by chance

in_each = pytest.mark.parametrize("language", TRANSLATED)


def catalogue(language: str, folder: Path = LOCALE) -> Catalog:
    """A language's catalogue as it is in its file."""
    with (folder / language / "LC_MESSAGES" / "cmi.po").open("rb") as file:
        return read_po(file, locale=language, abort_invalid=True)


def messages(language: str, folder: Path = LOCALE) -> list[Message]:
    """All its texts."""
    return [message for message in catalogue(language, folder) if message.id]


def forms(text: str | tuple[str, ...] | list[str]) -> tuple[str, ...]:
    """A text in its forms: one, or one for each number."""
    return (text,) if isinstance(text, str) else tuple(text)


def faults(language: str, folder: Path = LOCALE) -> list[str]:
    """What is wrong with a language's texts, a line each."""
    found = []
    known = catalogue(language, folder)
    for message in known:
        if not message.id:
            continue
        name = forms(message.id)[0]
        if not all(forms(message.string)):
            found.append(f"empty: {name}")
        if message.fuzzy:
            found.append(f"fuzzy: {name}")
        found += [f"{error}: {name}" for error in message.check(known)]
        wanted = set(PLACEHOLDER.findall(forms(message.id)[-1]))
        if set(PLACEHOLDER.findall(forms(message.string)[-1])) != wanted:
            found.append(f"other placeholders: {name}")
    return found + [f"unused: {forms(message.id)[0]}" for message in known.obsolete.values()]


ROMANSH = "rm"
"""A language without a catalogue."""


def add_faulty(folder: Path) -> None:
    """Add a catalogue with faults, as that of `ROMANSH`."""
    below = folder / ROMANSH / "LC_MESSAGES"
    below.mkdir(parents=True)
    (below / "cmi.po").write_text(
        'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
        '#, python-format\nmsgid "Auftrag an %(partner)s übermittelt"\nmsgstr "Transmis à %(name)s"\n\n'
        '#, python-format\nmsgid "Ausgeführt am %(day)s"\nmsgstr "Exécuté"\n\n'
        'msgid "Nie gesagt"\nmsgstr "Jamais dit"\n\n'
        '#, fuzzy\nmsgid "Zahlung eingegangen"\nmsgstr "Peut-être"\n'
    )


@pytest.fixture(scope="module")
def updated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the catalogues with a faulty one beside them, after `make catalogues`."""
    copy = tmp_path_factory.mktemp("updated") / "locale"
    shutil.copytree(LOCALE, copy)
    add_faulty(copy)
    made = subprocess.run(
        [
            *("make", "--silent", "--old-file", ".venv/.installed", "catalogues"),
            *(f"BIN={Path(sys.executable).parent}", f"LOCALE={copy}"),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return copy


@in_each
def test_nothing_is_missing_fuzzy_or_wrong_in_form(language: Language) -> None:
    assert faults(language) == []


def test_the_catalogues_are_as_make_catalogues_leaves_them(updated: Path) -> None:
    for language in TRANSLATED:
        there = {(each.context, forms(each.id)) for each in messages(language)}
        wanted = {(each.context, forms(each.id)) for each in messages(language, updated)}
        assert there == wanted, "make catalogues"


def test_faults_are_found(tmp_path: Path, updated: Path) -> None:
    add_faulty(tmp_path)
    found = faults(ROMANSH, tmp_path)
    assert "fuzzy: Zahlung eingegangen" in found
    assert "unknown named placeholder 'name': Auftrag an %(partner)s übermittelt" in found
    assert "other placeholders: Ausgeführt am %(day)s" in found
    known = {each.id: each for each in messages(ROMANSH, updated)}
    assert "Nie gesagt" not in known
    # from a module, from a template of a page, and counted
    for text in ("Auftrag akzeptiert", "Zum Inhalt", ("%(number)s Tag", "%(number)s Tage")):
        assert not any(forms(known[text].string))
    assert "empty: Auftrag akzeptiert" in faults(ROMANSH, updated)


def test_swiss_spelling() -> None:
    """No ß; in French no blank inside guillemets or before : ; ! ? in what the domain says and mails say."""
    for language in TRANSLATED:
        for message in messages(language):
            german, said = " ".join(forms(message.id)), " ".join(forms(message.string))
            assert "ß" not in german + said, german
            assert not re.search(r"«\s|\s»", german + said), german
            assert not re.search(r"[“”„\"]", german), german
            if language != "en":
                assert "'" not in said, said  # the typographic one everywhere
                assert not re.search(r"\s[:;!?]", said), said
                assert not re.search(r"[“”„\"]", said), said


@in_each
def test_no_text_is_padded_or_left_in_german(language: Language) -> None:
    for message in messages(language):
        for german, said in zip(forms(message.id), forms(message.string), strict=False):
            assert (german[:1] == " ", german[-1:] == " ") == (said[:1] == " ", said[-1:] == " ")
            assert "  " not in said
            bare = PLACEHOLDER.sub("", german)
            if len(bare) >= LONG and len(bare.split()) >= 2:
                assert said != german


# --- how texts are said -------------------------------------------------------------------------------------------


def test_values_and_meanings() -> None:
    assert say("de", mark("Auftrag akzeptiert")) == "Auftrag akzeptiert"
    assert say("fr", "Ausgeführt am %(day)s", day="4%") == "Exécuté le 4%"
    assert say("it", "Ausgeführt am %(day)s", day="4") == "Eseguito il 4"
    assert say("it", pmark("Verlauf", "Ausgeführt am %(day)s"), day="4") == "Eseguito: 4"
    assert say("de", pmark("Verlauf", "Ausgeführt am %(day)s"), day="4") == "Ausgeführt am 4"
    assert say("en", "Unbekannt %(text)s", text="x") == "Unbekannt x"


def test_nothing_is_read_when_a_text_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workflows say texts while they are replayed."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file is opened")

    monkeypatch.setattr("builtins.open", refuse)
    monkeypatch.setattr("io.open", refuse)
    for language in LANGUAGES:
        assert words.format_day(date(2027, 1, 1), language)
        assert words.status_label(Status.NEW, language)


def test_numbers() -> None:
    days: Counted = nmark("%(number)s Tag", "%(number)s Tage")
    assert [count("de", days, number) for number in (0, 1, 2)] == ["0 Tage", "1 Tag", "2 Tage"]
    assert [count("fr", days, number) for number in (0, 1, 2)] == ["0 jour", "1 jour", "2 jours"]
    assert count("en", days, 2, number="two") == "two days"


@pytest.mark.parametrize("language", LANGUAGES)
def test_in_templates(language: Language) -> None:
    text = '{{ _("Ja") }} {% trans count=n %}\n{{ count }} Tag{% pluralize %}\n{{ count }} Tage{% endtrans %}'
    environment = Environment(loader=DictLoader({"t": text}), autoescape=False)
    translate(environment, language)
    said = environment.get_template("t").render(n=2)
    assert said == f"{TRANSLATIONS[language].gettext('Ja')} 2 Tage"


def test_what_is_empty_or_fuzzy_stays_german(tmp_path: Path) -> None:
    path = tmp_path / "cmi.po"
    path.write_text('msgid "Ja"\nmsgstr ""\n\n#, fuzzy\nmsgid "Nein"\nmsgstr "Non"\n')
    read = read_catalogue(path, "fr")
    assert (read.gettext("Ja"), read.gettext("Nein")) == ("Ja", "Nein")


def test_a_catalogue_is_compiled_once_for_each_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cmi.po"
    path.write_text('msgid "Ja"\nmsgstr "Oui"\n')
    assert read_catalogue(path, "fr").gettext("Ja") == "Oui"
    with monkeypatch.context() as patch:
        patch.setattr("words.translations._compile", lambda *_: pytest.fail("compiled again"))
        assert read_catalogue(path, "fr").gettext("Ja") == "Oui"
    before = path.stat().st_mtime_ns
    path.write_text('msgid "Ja"\nmsgstr "Si"\n')
    os.utime(path, ns=(before, before - 10**9))  # older than what was compiled, as from an archive
    assert read_catalogue(path, "fr").gettext("Ja") == "Si"
    assert [each.name for each in sorted(tmp_path.iterdir())] == ["cmi.mo", "cmi.po"]


@pytest.mark.parametrize("length", [0, 2, 30])
def test_a_damaged_compiled_catalogue_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    path, compiled = tmp_path / "cmi.po", tmp_path / "cmi.mo"
    path.write_text('msgid "Ja"\nmsgstr "Oui"\n')
    read_catalogue(path, "fr")
    whole, time = compiled.read_bytes(), compiled.stat().st_mtime_ns
    compiled.write_bytes(whole[:length])
    os.utime(compiled, ns=(time, time))
    assert read_catalogue(path, "fr").gettext("Ja") == "Oui"
    monkeypatch.setattr("words.translations._compile", lambda *_: pytest.fail("compiled again"))
    assert read_catalogue(path, "fr").gettext("Ja") == "Oui"


def test_a_catalogue_is_read_where_nothing_can_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cmi.po"
    path.write_text('msgid "Ja"\nmsgstr "Oui"\n')

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "no space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert read_catalogue(path, "fr").gettext("Ja") == "Oui"
    assert [each.name for each in tmp_path.iterdir()] == ["cmi.po"]
