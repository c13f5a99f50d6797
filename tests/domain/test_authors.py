"""Who did something is two fields in memory, and one text in JSON, in digests and in what older releases wrote."""

import json
from datetime import UTC, datetime

import pytest

from domain.actors import Actor
from domain.authors import Author, author_of
from domain.digest import extend, link
from domain.orders.events import Accepted, Recorded
from domain.settlements.events import SelectionClosed, SettlementRecorded

AT = datetime(2027, 1, 4, tzinfo=UTC)
WHOLE = "operations:Anna for partner:elektro-huber"
RECORDED = Recorded(
    seq=1, at=AT, by="operations:Anna", on_behalf_of="elektro-huber", event=Accepted()
)


@pytest.mark.parametrize(
    ("actor", "author"),
    [
        (Actor(role="partner", name="Beat", partner_id="huber"), Author("partner:huber")),
        (Actor(role="operations", name="Anna"), Author("operations:Anna", "huber")),
        (Actor(role="operations"), Author("operations", "huber")),
        (Actor(role="system"), Author("system")),
    ],
)
def test_only_operations_act_on_behalf_of_a_partner(actor: Actor, author: Author) -> None:
    assert author_of(actor, on_behalf_of="huber") == author


def test_json_has_both_in_one_text_and_nothing_else() -> None:
    written = json.loads(RECORDED.model_dump_json())
    assert list(written) == ["seq", "at", "by", "event"]
    assert written["by"] == WHOLE
    assert Recorded.model_validate(written) == RECORDED


def test_what_an_older_release_wrote_is_the_same_event() -> None:
    assert Recorded(seq=1, at=AT, by=WHOLE, event=Accepted()) == RECORDED
    settlements = SettlementRecorded(seq=1, at=AT, by=WHOLE, event=SelectionClosed())
    assert (settlements.by, settlements.on_behalf_of) == ("operations:Anna", "elektro-huber")


def test_the_digest_is_of_the_whole_text() -> None:
    assert extend("", [RECORDED]) == link("", 1, AT, "accepted", WHOLE)
    assert extend("", [RECORDED]) == "298835486f045a12a78b29105b564a2a"


def test_a_login_may_be_called_as_it_likes() -> None:
    named = RECORDED.model_copy(update={"by": "operations:Anna for partner:nobody"})
    again = Recorded.model_validate_json(named.model_dump_json())
    assert again == named
    assert again.on_behalf_of == "elektro-huber"


def test_a_person_is_beside_the_partner_and_changes_no_digest() -> None:
    hans = Actor(role="partner", name="Hans", partner_id="huber", person="Hans")
    assert author_of(hans) == Author("partner:huber", person="Hans")
    plain = Recorded(seq=1, at=AT, by="partner:huber", event=Accepted())
    named = plain.model_copy(update={"person": "Hans"})
    assert "person" not in plain.model_dump_json()
    assert "person" not in Actor(role="partner").model_dump_json()
    assert Recorded.model_validate_json(named.model_dump_json()) == named
    assert (named.author, extend("", [named])) == (plain.author, extend("", [plain]))
