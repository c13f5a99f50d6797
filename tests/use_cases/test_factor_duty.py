"""The second factor is mandatory for staff after a grace; operations reset a lost one."""

from datetime import datetime, timedelta

import pytest

from records.accounts import User
from settings import Settings
from tests.support.builders import MONDAY
from tests.use_cases.conftest import ADDRESS, EMAIL, PASSWORD, SECRET_KEY, AccountsEnv
from tests.use_cases.test_second_factor import Phone, enrolled
from use_cases.account_errors import Conflict, LinkUnusable, NotFound, OwnFactor, SecondFactorNeeded
from use_cases.accounts import Accounts
from use_cases.factor_duty import FactorDuty
from use_cases.principal import Principal

ANNA = "anna.meier@retailer.example"
COLLEAGUE = Principal(role="operations", login_id="usr_colleague", name="Beat", email="b@x.example")


def user(**changes: object) -> User:
    values = {
        "user_id": "usr_1", "role": "operations", "partner_id": None, "email": ANNA, "name": "Anna Meier",
        "language": "de", "invitation": "accepted", "second_factor": False, "created_at": MONDAY,
        "last_login_at": MONDAY, "first_login_at": MONDAY,
    }  # fmt: skip
    return User.model_validate(values | changes)


@pytest.mark.parametrize(
    ("changes", "settings", "due"),
    [
        ({}, {}, MONDAY + timedelta(days=7)),
        ({"role": "accounting"}, {}, MONDAY + timedelta(days=7)),
        ({}, {"factor_grace_days": 0.5}, MONDAY + timedelta(hours=12)),
        ({}, {"factor_grace_days": 0}, MONDAY),
        ({"role": "partner", "partner_id": "elektro-huber"}, {}, None),
        ({"second_factor": True}, {}, None),
        ({"first_login_at": None}, {}, None),
        ({"factor_reset_at": MONDAY}, {}, MONDAY + timedelta(days=1)),
        ({"factor_reset_at": MONDAY}, {"factor_grace_days": 0}, MONDAY),
        ({"factor_reset_at": MONDAY, "first_login_at": None}, {}, MONDAY + timedelta(days=1)),
        ({}, {"factor_exempt": f"somebody@x.example, {ANNA.upper()}"}, None),
        ({}, {"factor_exempt": "somebody@x.example"}, MONDAY + timedelta(days=7)),
        ({}, {"secret_key": None}, None),
    ],
)
def test_from_when_on_a_factor_is_needed(
    changes: dict[str, object], settings: dict[str, object], due: datetime | None
) -> None:
    duty = FactorDuty(Settings.model_validate({"secret_key": SECRET_KEY} | settings))
    assert duty.due_at(user(**changes)) == due


async def of_session(env: AccountsEnv, code: str | None = None) -> Principal:
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, code)
    principal = await env.accounts.callers.of_session(session.secret)
    assert principal is not None
    return principal


@pytest.mark.parametrize("role", ["operations", "accounting"])
async def test_the_grace_runs_from_the_first_log_in(env: AccountsEnv, role: str) -> None:
    user_id = await env.add_user(partner_id=None, role=role)
    env.clock.forward(days=30)  # the login is older, but was never used
    first = env.clock()
    for days, due in ((0, False), (6.99, False), (7, True), (100, True)):
        env.clock.now = first + timedelta(days=days)
        principal = await of_session(env)
        assert principal.factor_due_at == first + timedelta(days=7), "from the first one"
        assert principal.is_factor_due is due
    phone = Phone(env, (await env.accounts.second_factor.enrol(user_id, "session")).uri)
    await env.accounts.second_factor.confirm(user_id, phone.code(), "session")
    env.clock.forward(seconds=30)
    principal = await of_session(env, phone.code())
    assert (principal.factor_due_at, principal.is_factor_due) == (None, False)
    env.clock.forward(seconds=30)
    await env.accounts.second_factor.remove(user_id, phone.code())
    assert (await of_session(env)).is_factor_due, "a factor that is removed gives no new grace"


async def test_a_running_session_ends_its_grace_too(env: AccountsEnv) -> None:
    await env.add_user(partner_id=None, role="operations")
    await of_session(env)
    env.clock.forward(days=7, minutes=-5)
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    for due in (False, True):
        principal = await env.accounts.callers.of_session(session.secret)
        assert principal is not None
        assert principal.is_factor_due is due
        env.clock.forward(minutes=5)


async def test_partners_and_tokens_need_none(env: AccountsEnv) -> None:
    await env.add_user()
    _, token = await env.accounts.tokens.make("operations", "Anna")
    await of_session(env)
    env.clock.forward(days=300)
    assert (await of_session(env)).factor_due_at is None
    machine = await env.accounts.callers.of_token(token)
    assert machine is not None
    assert (machine.factor_due_at, machine.is_factor_due) == (None, False)


async def test_a_lost_factor_is_reset_by_somebody_else(env: AccountsEnv) -> None:
    user_id, phone, codes = await enrolled(env)
    session = await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS, phone.code())
    with pytest.raises(SecondFactorNeeded) as needed:
        await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    reset = env.accounts.second_factor.reset
    with pytest.raises(NotFound):
        await reset("sanitaer-rossi", user_id, COLLEAGUE)
    with pytest.raises(NotFound):
        await reset("elektro-huber", "usr_0", COLLEAGUE)
    own = Principal(role="operations", login_id=user_id, name="Petra", email=EMAIL)
    by_own_token = Principal(role="operations", login_id="tok_1", name="Script", made_by=user_id)
    for same_person in (own, by_own_token):
        with pytest.raises(OwnFactor):
            await reset("elektro-huber", user_id, same_person)
    assert await env.accounts.callers.of_session(session.secret) is not None, "nothing happened yet"

    after = await reset("elektro-huber", user_id, COLLEAGUE)
    assert not after.second_factor
    await env.accounts.close()
    assert env.mails()[-1]["Subject"] == "Der zweite Faktor Ihres Zugangs zum CMI ist zurückgesetzt"
    assert EMAIL in str(env.mails()[-1]["To"]), "the owner is told"
    assert await env.accounts.callers.of_session(session.secret) is None
    with pytest.raises(LinkUnusable):
        await env.accounts.sessions.finish_log_in(needed.value.ticket, codes[0], ADDRESS)
    await env.accounts.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    with pytest.raises(Conflict, match="no second factor"):
        await reset("elektro-huber", user_id, COLLEAGUE)


async def test_after_a_reset_staff_has_a_day(env: AccountsEnv) -> None:
    user_id = await env.add_user(partner_id=None, role="accounting")
    await of_session(env)
    phone = Phone(env, (await env.accounts.second_factor.enrol(user_id, "session")).uri)
    await env.accounts.second_factor.confirm(user_id, phone.code(), "session")
    for days in (2, 300):  # within the first grace, and long after it
        env.clock.forward(days=days)
        await env.accounts.second_factor.reset(None, user_id, COLLEAGUE)
        principal = await of_session(env)
        assert principal.factor_due_at == env.clock() + timedelta(days=1)
        assert not principal.is_factor_due
        env.clock.forward(days=1)
        assert (await of_session(env)).is_factor_due
        phone = Phone(env, (await env.accounts.second_factor.enrol(user_id, "session")).uri)
        await env.accounts.second_factor.confirm(user_id, phone.code(), "session")


async def test_without_a_secret_key_nobody_is_locked_out(env: AccountsEnv) -> None:
    await env.add_user(partner_id=None, role="operations")
    settings = env.settings.model_copy(update={"secret_key": None})
    without = Accounts(env.database, settings, env.clock)
    await without.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    env.clock.forward(days=30)
    session = await without.sessions.log_in(EMAIL, PASSWORD, ADDRESS)
    principal = await without.callers.of_session(session.secret)
    assert principal is not None
    assert principal.factor_due_at is None
