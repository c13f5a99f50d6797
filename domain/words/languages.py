"""The vocabulary of each language."""

from collections.abc import Mapping

from domain.values import Language
from domain.words.english import ENGLISH
from domain.words.french import FRENCH
from domain.words.german import GERMAN
from domain.words.italian import ITALIAN
from domain.words.vocabulary import Vocabulary

VOCABULARIES: Mapping[Language, Vocabulary] = {
    "de": GERMAN,
    "fr": FRENCH,
    "it": ITALIAN,
    "en": ENGLISH,
}
