"""Answers are kept by login and key; the first one counts."""

import asyncio
from datetime import timedelta

from records.database import Database
from records.idempotency import Answers, KeptAnswer
from tests.support.builders import MONDAY


def kept(number: int = 1) -> KeptAnswer:
    """An answer, as its caller encrypted it."""
    return KeptAnswer(
        body_hash=f"{number}" * 64, status=200 + number, about="order/SP-1", answer=b"\0\xff" * 9
    )


async def test_what_is_kept_is_found_by_its_login_alone(database: Database) -> None:
    answers = Answers(database)
    assert await answers.find("tok_1", "key") is None
    assert await answers.keep("tok_1", "key", kept(), MONDAY) == kept()
    assert await answers.find("tok_1", "key") == kept()
    assert await answers.find("tok_2", "key") is None
    assert await answers.find("tok_1", "KEY") is None


async def test_of_two_at_once_both_hear_the_first(database: Database) -> None:
    answers = Answers(database)
    made = await asyncio.gather(
        *(answers.keep("tok_1", "key", kept(number), MONDAY) for number in range(4))
    )
    assert len({answer.body_hash for answer in made}) == 1
    assert await answers.find("tok_1", "key") == made[0]


async def test_old_answers_are_forgotten(database: Database) -> None:
    answers = Answers(database)
    await answers.keep("tok_1", "old", kept(), MONDAY)
    await answers.keep("tok_1", "new", kept(), MONDAY + timedelta(days=1))
    assert await answers.forget(MONDAY + timedelta(days=1)) == 1
    assert await answers.find("tok_1", "old") is None
    assert await answers.find("tok_1", "new") is not None
