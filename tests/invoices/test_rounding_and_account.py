"""The check of an invoice from version 2 of the rules on: other roundings, the account, a further settlement."""

from dataclasses import dataclass
from decimal import Decimal

import pytest

from domain.settlements.ids import creditor_reference
from domain.settlements.invoicing import Verdict
from invoices.check import Expected, Read, expected_of, judge, read
from tests.domain.settlements.test_vat import account
from tests.invoices.papers import invoice
from tests.statements.samples import statement
from tests.support.needs import needs
from tests.support.rendering import draft_invoice

ID = "V202610-Q93Q3BS6"
IBAN = "CH9300762011623852957"
OTHER = "CH4431999123000889012"  # a QR-IBAN
TEN = ("89.90",) * 10
SP_IDS = tuple(f"SP-{number}" for number in range(1, 11))
EXPECTED = expected_of(account(*TEN).model_copy(update={"settlement_id": ID}), IBAN)


def bill(amount: str = "971.82", iban: str = IBAN, settlement_id: str = ID) -> str:
    """The content of a Swiss QR code."""
    lines = [""] * 31
    lines[0], lines[3], lines[18], lines[19] = "SPC", iban, amount, "CHF"
    lines[27], lines[28], lines[30] = "SCOR", creditor_reference(settlement_id), "EPD"
    return "\n".join(lines)


def judged(
    total: str = "971.82",
    *codes: str,
    expected: Expected = EXPECTED,
    settlement_id: str = ID,
    more: tuple[str, ...] = (),
) -> Verdict:
    lines = invoice(settlement_id, SP_IDS, total, more=more)
    return judge(Read(text="\n".join(lines), codes=codes), expected)


def problems(verdict: Verdict) -> list[str]:
    return [problem.code for problem in verdict.problems]


class TestTotal:
    @pytest.mark.parametrize("total", ["971.82", "971.80"])
    def test_rounded_on_the_sum_or_by_line_or_to_5_centimes(self, total: str) -> None:
        for verdict in (judged(total), judged(total, bill(total))):
            assert verdict.accepted
            assert str(verdict.total) == total

    @pytest.mark.parametrize("total", ["971.81", "971.83", "971.79", "971.85", "971.75", "971.90"])
    def test_nothing_else(self, total: str) -> None:
        assert problems(judged(total))[0] == "no_total"

    def test_both_may_be_named(self) -> None:
        verdict = judged("971.80", more=("Total vor Rundung 971.82",))
        assert verdict.accepted
        assert str(verdict.total) == "971.80", "the last one"
        assert judged("971.85").total is None

    @pytest.mark.parametrize("word", ["Total", "Rechnungsbetrag", "Montant total"])
    def test_no_other_amount_beside_a_word_for_the_total(self, word: str) -> None:
        for amount in ("971.81", "971.85"):
            assert problems(judged("971.80", more=(f"{word} {amount}",))) == ["other_total"]

    def test_the_code_asks_for_the_total_of_the_text(self) -> None:
        assert problems(judged("971.80", bill("971.82"))) == ["qr_amount"]
        assert problems(judged("971.82", bill("971.80"))) == ["qr_amount"]
        assert judged("971.82", bill("")).accepted

    def test_under_version_1_only_the_statements_total_is_right(self) -> None:
        one = expected_of(account(*TEN, rules=1).model_copy(update={"settlement_id": ID}), IBAN)
        assert one.total == Decimal("971.80")
        assert judged("971.80", expected=one).accepted
        assert problems(judged("971.82", expected=one))[0] == "no_total"


@dataclass(frozen=True)
class Case:
    """An account that an invoice names: in its QR code, in its text; the registered one; what follows."""

    code: str | None
    text: str
    registered: str | None
    problem: str | None


class TestAccount:
    @pytest.mark.parametrize(
        "case",
        [
            Case(IBAN, "", IBAN, None),
            Case(None, "", IBAN, None),
            Case(None, "IBAN CH93 0076 2011 6238 5295 7 Konto 4", IBAN, None),
            Case(None, "IBAN: ch93 0076 2011 6238 5295 7", IBAN, None),
            Case(IBAN, "", "ch93 0076 2011 6238 5295 7", None),
            Case(OTHER, "", IBAN, "other_iban"),
            Case(None, "IBAN CH44 3199 9123 0008 8901 2", IBAN, "other_iban"),
            Case(None, "CH4431999123000889012Zahlbar", IBAN, "other_iban"),
            Case(None, "IBAN DE89 3704 0044 0532 0130 00 BIC COBADEFF", IBAN, "other_iban"),
            Case(IBAN, "IBAN CH44 3199\n9123 0008 8901 2", IBAN, "other_iban"),
            Case(IBAN, "", None, "no_registered_iban"),
            Case(None, "IBAN CH93 0076 2011 6238 5295 7", None, "no_registered_iban"),
            # wrong check digits: no account
            Case(None, "CH93 0076 2011 6238 5295 8, UID CHE-123.456.788 MWST", IBAN, None),
            Case(None, f"RF70 V202 610Q 93Q3 BS6, {ID}", IBAN, None),
        ],
    )
    def test_another_one_is_for_accounting_to_decide(self, case: Case) -> None:
        codes = () if case.code is None else (bill(iban=case.code),)
        expected = EXPECTED.model_copy(update={"iban": case.registered})
        text = "\n".join([ID, *SP_IDS, "Total 971.82", case.text])
        verdict = judge(Read(text=text, codes=codes), expected)
        assert problems(verdict) == ([case.problem] if case.problem else [])
        assert verdict.accepted == (case.problem is None)
        assert verdict.accounting_decides == (case.problem is not None)
        assert all(OTHER[4:-4] not in problem.detail for problem in verdict.problems)

    def test_what_is_wrong_otherwise_is_refused(self) -> None:
        verdict = judged("971.85", bill(iban=OTHER))
        assert not verdict.accepted
        assert not verdict.accounting_decides
        assert "other_iban" not in problems(verdict)

    def test_version_1_does_not_look_at_it(self) -> None:
        one = expected_of(account(*TEN, rules=1).model_copy(update={"settlement_id": ID}), IBAN)
        assert judged("971.80", bill("971.80", OTHER), expected=one).accepted

    @needs("pango")
    def test_the_draft_is_right(self) -> None:
        data = statement(3)
        data = data.model_copy(
            update={"settlement": data.settlement.model_copy(update={"rules": 2})}
        )
        found = read(draft_invoice(data).pdf)
        assert found.codes
        assert judge(found, expected_of(data.settlement, IBAN)).accepted
        assert judge(found, expected_of(data.settlement, OTHER)).accounting_decides


class TestFurtherSettlement:
    SECOND = EXPECTED.model_copy(update={"settlement_id": f"{ID}-2"})

    @pytest.mark.parametrize(
        "named",
        [f"{ID}-2", f"{ID}/2", "V202610Q93Q3BS62", f"{ID}–2", f"{ID}-\n2", "v202610 q93q3bs6/2"],
    )
    def test_is_named(self, named: str) -> None:
        assert judged(settlement_id=named, expected=self.SECOND).accepted

    def test_is_named_by_its_reference(self) -> None:
        reference = creditor_reference(f"{ID}-2")
        fours = " ".join(reference[at : at + 4] for at in range(0, len(reference), 4))
        assert judged(settlement_id=fours, expected=self.SECOND).accepted
        assert judged(
            "971.82", bill(settlement_id=f"{ID}-2"), settlement_id=fours, expected=self.SECOND
        ).accepted

    def test_is_not_the_first(self) -> None:
        assert problems(judged(settlement_id=f"{ID}-2")) == ["no_settlement_id", "other_settlement"]
        of_the_first = judged(settlement_id=ID, expected=self.SECOND)
        assert problems(of_the_first) == ["no_settlement_id", "other_settlement"]
        assert of_the_first.problems[1].detail == ID
        of_the_third = judged(settlement_id=f"{ID}-3", expected=self.SECOND)
        assert of_the_third.problems[1].detail == f"{ID}-3"

    @pytest.mark.parametrize("after", [" 2026", " - 2 Stk.", "\n2 Stk.", " 2", "-20", "/2026"])
    def test_a_number_after_it_is_no_part_of_it(self, after: str) -> None:
        assert judged(settlement_id=ID + after).accepted
