"""One mail of every kind about a settlement, as the domain makes them."""

from datetime import timedelta

from domain.actors import Actor
from domain.policy_file import load_policy
from domain.settlements.commands import PassTime, ReturnInvoice, TakeVerdict, VoidSettlement
from domain.settlements.invoicing import OwnInvoice, Problem, Verdict
from domain.settlements.mails import SettlementMail, settlement_mails
from domain.settlements.settlement import Settlement, SettlementStatus
from tests.support.settlements import (
    FIRST,
    Step,
    claims,
    issued,
    opening,
    settled,
    statement,
    voided,
)

ACCOUNTING = Actor(role="accounting", name="Beat")
RETURN = ReturnInvoice(reason="Die Adresse\r\nist falsch")
_DAYS = timedelta(days=1)


def mails_of(
    *steps: Step, picked: int = 3, automatic: bool = True, **changes: object
) -> list[SettlementMail]:
    """The mails of a settlement's life."""
    of = opening(*(f"SP-{n}" for n in range(picked)), automatic=automatic, **changes)
    before = Settlement(
        opening=of, status=SettlementStatus.OPEN, picked=(), opened_at=FIRST, told=True
    )
    return list(settlement_mails(before, settled(of, *steps).events, "de"))


def all_mails() -> dict[str, SettlementMail]:
    """Every kind in every audience and shape that changes its words, by a name."""
    of = opening("SP-0", "SP-1", "SP-2")
    done = issued(of)
    refused = claims(("SP-1", "billed"), ("SP-2", "unavailable"))
    accepted = TakeVerdict(paper_id="invoice-1", verdict=Verdict(accepted=True))
    own = OwnInvoice(number="R-2026-117", date=FIRST.date())
    made = accepted.model_copy(update={"invoice": own})
    problem = Problem(code="other_iban", detail="CH44 … 9012")
    doubt = Verdict(accepted=False, accounting_decides=True, problems=(problem,))
    held = TakeVerdict(paper_id="invoice-1", verdict=doubt)
    late = (*done, *((20 * _DAYS, PassTime()) * 4))
    lives = {
        "opened": mails_of(timedelta(hours=4), PassTime()),
        "opened_one": mails_of(timedelta(hours=4), PassTime(), picked=1),
        "issued": mails_of(*done),
        "no_deadline": mails_of(*done, policy=load_policy('[settlement]\ninvoice_within = "none"')),
        "left_out": mails_of(done[0], refused, done[-1]),
        "nothing_due": mails_of(*done[:-1], statement(of.settlement_id, total="0.00")),
        "nothing": mails_of(done[0], claims(("SP-0", "billed")), picked=1),
        "late": mails_of(*late),
        "accepted": mails_of(*done, accepted),
        "made": mails_of(*done, made, rules=2),
        "returned": mails_of(*done, accepted, (RETURN, ACCOUNTING), rules=2),
        "held": mails_of(*done, held, rules=2),
        "voided": mails_of(*voided(of)),
        "voided_open": mails_of(
            timedelta(hours=4), PassTime(), VoidSettlement(reason="Auf Wunsch\r\nvon Huber")
        ),
    }
    return {
        f"{name}/{mail.kind}.{mail.audience}/{mail.level}": mail
        for name, life in lives.items()
        for mail in life
    }
