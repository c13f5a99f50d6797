"""The texts of execution protocols: items, answers, and how a protocol ends."""

from collections.abc import Mapping

from domain.values import Language
from words.translations import Meaning, mark, pmark, say

ITEMS: Mapping[str, str] = {
    "level": mark("Ausgerichtet und standfest"),
    "fixed": mark("Befestigung geprüft"),
    "connected": mark("Anschlüsse erstellt und geprüft"),
    "tested": mark("Funktion geprüft"),
    "explained": mark("Bedienung erklärt"),
    "undamaged": mark("Gerät und Räume ohne Schäden"),
    "packaging": mark("Verpackung mitgenommen"),
    "clean": mark("Arbeitsplatz sauber hinterlassen"),
}
RESULTS: Mapping[str, str | Meaning] = {
    "done": pmark("Protokoll", "Ja"),
    "not_done": pmark("Protokoll", "Nein"),
    "not_needed": pmark("Protokoll", "Nicht nötig"),
}
ENDINGS: Mapping[str, str] = {
    "signed": mark("Die Kundschaft hat unterschrieben"),
    "refused": mark("Die Kundschaft wollte nicht unterschreiben"),
    "absent": mark("Die Kundschaft war nicht anwesend"),
}


def item_label(item: str, language: Language) -> str:
    """An item of a checklist: the text of its code, or the policy's own text as it is."""
    text = ITEMS.get(item)
    return item if text is None else say(language, text)


def result_label(result: str, language: Language) -> str:
    """The answer to an item."""
    text = RESULTS.get(result)
    return result if text is None else say(language, text)


def ending_label(ending: str, language: Language) -> str:
    """How a protocol ends."""
    text = ENDINGS.get(ending)
    return ending if text is None else say(language, text)
