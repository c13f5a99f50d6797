"""The mails to a partner's people, in every language: which orders, what happened, and nothing of lost customers."""

from typing import get_args

import pytest

from domain.values import LANGUAGES, Language
from mail.person_texts import PersonsOrder, PersonTexts, Template
from mail.texts import Reader
from tests.support.builders import placement

TEXTS = PersonTexts("https://cmi.example", "Versand AG")
TEMPLATES: tuple[Template, ...] = get_args(Template)


def order(sp_id: str) -> PersonsOrder:
    return PersonsOrder(placement(sp_id=sp_id, name="Regula Müller <b>"), ("8–10",))


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_it_says(template: Template, language: Language) -> None:
    mail = TEXTS.compose_orders(
        template, Reader("Hans\n<i>Muster", language), [order("SP-1")], "Etwas\ngeschah"
    )
    customer = placement().customer
    assert mail.subject.endswith("SP-1")
    assert "\n" not in mail.subject
    assert "SP-1" in mail.text
    is_told = template not in ("lost", "taken")
    assert (customer.phone in mail.text) == is_told
    assert (customer.city in mail.subject) == (is_told and template != "today")
    assert ("https://cmi.example/orders/SP-1" in mail.text) == is_told
    assert ("Etwas geschah" in mail.text) == (template == "changed")
    assert "<i>" not in mail.html
    assert "Müller <b>" not in mail.html
    assert "Regula Müller <b>" in mail.text or not is_told


@pytest.mark.parametrize("template", ["assigned", "today"])
def test_several_orders(template: Template) -> None:
    orders = [order("SP-2"), order("SP-1")]
    mail = TEXTS.compose_orders(template, Reader("Hans", "de"), orders)
    assert "2" in mail.subject
    assert "SP-" not in mail.subject
    assert mail.text.index("SP-2") < mail.text.index("SP-1")
    assert "https://cmi.example/\n" in mail.text


def test_each_language_has_its_own_words() -> None:
    for template in TEMPLATES:
        mails = [
            TEXTS.compose_orders(template, Reader("x", each), [order("SP-1")]) for each in LANGUAGES
        ]
        assert len({mail.text for mail in mails}) == len(LANGUAGES)
        assert len({mail.subject for mail in mails}) == len(LANGUAGES)
