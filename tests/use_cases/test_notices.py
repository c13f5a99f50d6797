"""People are told by mail when their password, second factor or address changes, and operations when tokens end."""

import asyncio
from datetime import timedelta

import pyotp
import pytest
from sqlalchemy import select, update

from domain.values import LANGUAGES
from mail.account_texts import masked_address, notice_text
from mail.texts import MailTexts, Reader
from records.account_notices import NoticeKind
from records.tables import account_notices, tokens
from tests.support.builders import MONDAY
from tests.support.limits import WAIT_LIMIT
from tests.use_cases.conftest import ADDRESS, EMAIL, PASSWORD, AccountsEnv, text_of
from use_cases.account_errors import Conflict, WrongFields
from use_cases.principal import Principal
from web.portal.formats import ZURICH

ANOTHER = "staple battery correct horse"
ANNA = "anna.meier@retailer.example"


async def new_mails(env: AccountsEnv, known: int) -> list[tuple[str, str]]:
    """Recipient and subject of the mails after the first `known` ones; no further one is due."""
    await env.accounts._link_mails.close()
    env.accounts._link_mails._closing = False
    assert await env.accounts.send_due_mails() == 0
    return [(str(mail["To"]), str(mail["Subject"])) for mail in env.mails()[known:]]


async def stored(env: AccountsEnv) -> int:
    async with env.database.reading() as connection:
        return len((await connection.execute(select(account_notices.c.key))).all())


# --- passwords and factors ---------------------------------------------------------------------------------------


async def test_who_changes_the_password_is_told(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    assert await new_mails(env, 1) == []  # the first password is no change
    await env.accounts.change_password(user_id, PASSWORD, ANOTHER)
    ((to, subject),) = await new_mails(env, 1)
    assert EMAIL in to
    assert subject == "Ihr Passwort für das CMI ist geändert"
    text = text_of(env.mails()[-1])
    assert "Mo 5. Okt. 2026 09:00" in text
    assert "https://" not in text  # a link would teach people to follow one
    assert await stored(env) == 0


async def test_who_sets_a_password_by_a_reset_is_told(env: AccountsEnv) -> None:
    await env.add_user()
    await env.accounts.resets.request(EMAIL, ADDRESS)
    await env.accounts._link_mails.close()
    env.accounts._link_mails._closing = False
    await env.accounts.accept_invitation(env.secret(), ANOTHER)
    ((_, subject),) = await new_mails(env, 2)
    assert subject == "Ihr Passwort für das CMI ist geändert"


async def test_a_refused_change_tells_nobody(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    with pytest.raises(WrongFields):
        await env.accounts.change_password(user_id, "not this one", ANOTHER)
    with pytest.raises(WrongFields):
        await env.accounts.change_password(user_id, PASSWORD, "password1234")
    assert await new_mails(env, 1) == []


async def test_every_change_of_the_second_factor_is_told(env: AccountsEnv) -> None:
    user_id = await env.add_user(partner_id="sanitaer-rossi")
    factor = env.accounts.second_factor

    async def set_up() -> pyotp.TOTP:
        phone = pyotp.parse_uri((await factor.enrol(user_id, "session")).uri)
        assert isinstance(phone, pyotp.TOTP)
        await factor.confirm(user_id, phone.at(env.clock()), "session")
        env.clock.forward(seconds=30)
        return phone

    phone = await set_up()
    await factor.remove(user_id, phone.at(env.clock()))
    env.clock.forward(seconds=30)
    await set_up()
    operations = Principal(role="operations", login_id="tok_1", name="Anna")
    await factor.reset("sanitaer-rossi", user_id, operations)
    subjects = sorted(subject for _, subject in await new_mails(env, 1))
    assert subjects == [
        "Il Suo accesso al CMI ha un secondo fattore",
        "Il Suo accesso al CMI ha un secondo fattore",
        "Il secondo fattore del Suo accesso al CMI è disattivato",
        "Il secondo fattore del Suo accesso al CMI è stato azzerato",
    ]
    await factor.enrol(user_id, "session")
    with pytest.raises(Conflict):  # one that was never in force
        await factor.reset("sanitaer-rossi", user_id, operations)
    assert await new_mails(env, 5) == []


async def test_a_notice_waits_for_the_mail_server(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    env.server.mail = "451 not now"
    await env.accounts.change_password(user_id, PASSWORD, ANOTHER)
    assert await new_mails(env, 1) == []
    assert await stored(env) == 1
    env.server.mail = "250 OK"
    env.clock.forward(minutes=5)
    assert await env.accounts.send_due_mails() == 1
    assert len(await new_mails(env, 1)) == 1
    assert await stored(env) == 0


async def test_of_two_processes_one_mails_a_notice(env: AccountsEnv) -> None:
    user_id = await env.add_user()
    hashed = await env.accounts._passwords.hash(ANOTHER)
    await env.accounts._records.passwords.set(user_id, hashed, env.clock())
    sent = await asyncio.gather(*(env.accounts.send_due_mails() for _ in range(4)))
    assert sum(sent) <= 1, "0: the process that mailed the invitation was first"
    async with asyncio.timeout(WAIT_LIMIT):
        while len(env.mails()) < 2:
            await asyncio.sleep(0.01)
    assert await env.accounts.send_due_mails() == 0
    assert len(env.mails()) == 2


# --- addresses ---------------------------------------------------------------------------------------------------


async def test_a_changed_address_is_told_to_the_old_and_the_new_one(env: AccountsEnv) -> None:
    before = (await env.accounts.partners.get("elektro-huber")).email
    await env.accounts.partners.change("elektro-huber", {"email": "new@elektro-huber.example"})
    told = await new_mails(env, 0)
    assert sorted(to.rpartition("<")[2].strip(">") for to, _ in told) == sorted(
        [before, "new@elektro-huber.example"]
    )
    assert {subject for _, subject in told} == {"Ihre E-Mail-Adresse im CMI ist geändert"}
    assert "n…@elektro-huber.example" in text_of(env.mails()[0])
    assert "new@" not in text_of(env.mails()[0])
    await env.accounts.partners.change("elektro-huber", {"email": "new@elektro-huber.example"})
    await env.accounts.partners.change("elektro-huber", {"city": "Bern"})
    assert await new_mails(env, 2) == []


async def test_a_changed_address_for_escalations_is_told_to_the_partner_as_well(
    env: AccountsEnv,
) -> None:
    partner = await env.accounts.partners.get("elektro-huber")
    await env.accounts.partners.change(
        "elektro-huber", {"escalation_email": "chef@elektro-huber.example"}
    )
    told = {to.rpartition("<")[2].strip(">") for to, _ in await new_mails(env, 0)}
    assert told == {partner.email, "chef@elektro-huber.example"} | (
        {partner.escalation_email} if partner.escalation_email else set()
    )


@pytest.mark.parametrize(
    ("address", "shown"), [("petra@x.example", "p…@x.example"), (None, ""), ("", "")]
)
def test_masked_addresses(address: str | None, shown: str) -> None:
    assert masked_address(address) == shown


# --- tokens ------------------------------------------------------------------------------------------------------


async def test_tokens_end_with_the_login_of_their_maker(env: AccountsEnv) -> None:
    maker = await env.add_user(ANNA, None, "operations")
    make = env.accounts.tokens.make
    shop_id, shop = await make("shop", "Shop <b>", made_by=maker)
    plan_id, plan = await make("partner", "Plan", "elektro-huber", made_by=maker)
    _, others = await make("warehouse", "Lager")
    await make("shop", "over", expires=env.clock() + timedelta(hours=1), made_by=maker)
    env.clock.forward(hours=2)
    (listed,) = await env.accounts.tokens.list("elektro-huber")
    assert (listed.made_by, listed.maker) == (maker, "Petra Huber")
    await env.accounts.remove_user(None, maker)
    for token in (shop, plan):
        assert await env.accounts.callers.of_token(token) is None
    assert await env.accounts.callers.of_token(others) is not None
    (listed,) = await env.accounts.tokens.list("elektro-huber")
    assert (listed.made_by, listed.maker, listed.ended_because) == (maker, None, "maker_left")
    assert listed.revoked_at == env.clock()
    ((to, subject),) = await new_mails(env, 1)
    assert to.endswith(env.settings.mail_operations)
    assert subject == "CMI: 2 Tokens gelten nicht mehr"
    text = text_of(env.mails()[-1])
    assert "Petra Huber" in text
    assert "Shop <b>" in text
    assert "Plan" in text
    assert "over" not in text
    assert "Lager" not in text
    await env.accounts.tokens.revoke(None, shop_id)  # nothing more happens
    await env.accounts.tokens.revoke("elektro-huber", plan_id)
    assert await new_mails(env, 2) == []


async def test_a_login_that_made_no_tokens_leaves_without_a_mail(env: AccountsEnv) -> None:
    maker = await env.add_user(ANNA, None, "operations")
    await env.accounts.remove_user(None, maker)
    assert await new_mails(env, 1) == []


async def test_a_token_that_is_made_while_its_maker_is_removed_does_not_outlive_it(
    env: AccountsEnv,
) -> None:
    maker = await env.add_user(ANNA, None, "operations")
    made, _ = await asyncio.gather(
        env.accounts.tokens.make("shop", "Shop", made_by=maker),
        env.accounts.remove_user(None, maker),
        return_exceptions=True,
    )
    if isinstance(made, BaseException):
        assert isinstance(made, Conflict)
    else:
        assert await env.accounts.callers.of_token(made[1]) is None
    with pytest.raises(Conflict):
        await env.accounts.tokens.make("shop", "Shop", made_by=maker)


async def test_the_end_of_a_partner_says_so_at_its_tokens(env: AccountsEnv) -> None:
    await env.accounts.tokens.make("partner", "Plan", "elektro-huber")
    await env.accounts.partners.change("elektro-huber", {"status": "ended"})
    (listed,) = await env.accounts.tokens.list("elektro-huber")
    assert listed.ended_because == "partner_ended"


async def test_operations_are_warned_once_before_tokens_end(env: AccountsEnv) -> None:
    make = env.accounts.tokens.make
    await make("partner", "Plan", "elektro-huber", expires=MONDAY + timedelta(days=60))
    await make("shop", "Shop", expires=MONDAY + timedelta(days=61))
    await make("shop", "short", expires=MONDAY + timedelta(days=14))
    await make("shop", "long")
    env.clock.forward(days=46, microseconds=-1)
    await env.accounts.tidy()
    assert await new_mails(env, 0) == []
    (plan,) = await env.accounts.tokens.list("elektro-huber")
    assert not env.accounts.tokens.ends_soon(plan)
    env.clock.forward(days=1, microseconds=1)
    assert env.accounts.tokens.ends_soon(plan)
    await asyncio.gather(*(env.accounts.tidy() for _ in range(3)))
    sent = await asyncio.gather(*(env.accounts.send_due_mails() for _ in range(2)))
    assert sum(sent) == 1
    ((to, subject),) = await new_mails(env, 0)
    assert to.endswith(env.settings.mail_operations)
    assert subject == "CMI: 2 Tokens laufen bald ab"
    text = text_of(env.mails()[0])
    assert "bis Fr 4. Dez. 2026 08:00" in text
    assert "short" not in text
    assert "https://cmi.example/staff/users" in text
    await env.accounts.tidy()
    assert await new_mails(env, 1) == []


async def test_tokens_of_earlier_releases_get_an_end(env: AccountsEnv) -> None:
    token_id, token = await env.accounts.tokens.make("shop", "Shop")
    _, far = await env.accounts.tokens.make("shop", "far")
    async with env.database.writing() as connection:
        await connection.execute(update(tokens).values(expires_at=MONDAY + timedelta(days=9999)))
        older = update(tokens).where(tokens.c.token_id == token_id)
        await connection.execute(older.values(expires_at=None))
    env.clock.forward(days=100)
    assert await env.accounts.callers.of_token(token) is not None
    await env.accounts.tidy()
    ends = {each.expires_at for each in await env.accounts.tokens.list(None)}
    assert ends == {MONDAY + timedelta(days=465)}
    env.clock.forward(days=1)
    await env.accounts.tidy()  # they are not put off
    assert {each.expires_at for each in await env.accounts.tokens.list(None)} == ends
    env.clock.forward(days=364)
    for each in (token, far):
        assert await env.accounts.callers.of_token(each) is None


async def test_no_token_lasts_longer_than_the_setting(env: AccountsEnv) -> None:
    latest = MONDAY + timedelta(days=365)
    with pytest.raises(WrongFields, match="expires_at: must be at most 365 days"):
        await env.accounts.tokens.make("shop", "Shop", expires=latest + timedelta(microseconds=1))
    await env.accounts.tokens.make("shop", "Shop", expires=latest)
    await env.accounts.tokens.make("shop", "Shop")
    assert {each.expires_at for each in await env.accounts.tokens.list(None)} == {latest}


# --- texts -------------------------------------------------------------------------------------------------------

FACTS = {
    "password_changed": {"email": EMAIL},
    "factor_set": {"email": EMAIL},
    "factor_removed": {"email": EMAIL},
    "factor_reset": {"email": EMAIL},
    "calendar_made": {"email": EMAIL},
    "email_changed": {"before": "a@x.example", "after": "b@x.example", "is_escalation": False},
    "tokens_ended": {"maker": "Anna <b>", "tokens": [["Shop", None], ["Plan", "Huber <i>"]]},
    "tokens_end_soon": {"tokens": [["Shop", None, MONDAY.isoformat()]]},
}


@pytest.mark.parametrize("staff", [True, False])
@pytest.mark.parametrize("kind", FACTS)
def test_every_notice_in_every_language(kind: NoticeKind, staff: bool) -> None:
    texts = MailTexts("https://cmi.example")
    said = [
        notice_text(texts, kind, Reader("P <b>", each, staff), FACTS[kind], MONDAY, ZURICH)
        for each in LANGUAGES
    ]
    assert len({mail.subject for mail in said}) == len(LANGUAGES)
    for mail in said:
        assert "<b>" not in mail.html
        assert "<i>" not in mail.html
        assert "{" not in mail.text
        assert ("https://cmi.example" in mail.text) == kind.startswith("tokens_")
