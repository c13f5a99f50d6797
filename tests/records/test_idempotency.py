"""Answers are kept by login and key; the first one counts."""

import asyncio
from datetime import timedelta

from records.database import Database
from records.idempotency import Answer, Answers
from tests.support.builders import MONDAY


async def test_what_is_kept_is_found_by_its_login_alone(database: Database) -> None:
    answers = Answers(database)
    assert await answers.find("tok_1", "key") is None
    given = {"sp_id": "SP-1", "city": "Zürich", "fee": "129.00", "none": None, "emoji": "🧺\0"}
    answer = Answer(body_hash="a" * 64, status=201, response=given)
    assert await answers.keep("tok_1", "key", "a" * 64, 201, given, MONDAY) == answer
    assert await answers.find("tok_1", "key") == answer
    assert await answers.find("tok_2", "key") is None
    assert await answers.find("tok_1", "KEY") is None
    assert await answers.find("tok_1", "a\0b") is None


async def test_of_two_at_once_both_hear_the_first(database: Database) -> None:
    answers = Answers(database)
    kept = await asyncio.gather(
        *(answers.keep("tok_1", "key", f"{n}" * 64, 200 + n, n, MONDAY) for n in range(4))
    )
    assert len({answer.body_hash for answer in kept}) == 1
    assert await answers.find("tok_1", "key") == kept[0]


async def test_old_answers_are_forgotten(database: Database) -> None:
    answers = Answers(database)
    await answers.keep("tok_1", "old", "a" * 64, 204, None, MONDAY)
    await answers.keep("tok_1", "new", "a" * 64, 204, None, MONDAY + timedelta(days=1))
    assert await answers.forget(MONDAY + timedelta(days=1)) == 1
    assert await answers.find("tok_1", "old") is None
    assert await answers.find("tok_1", "new") is not None
