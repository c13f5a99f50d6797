"""VAT from version 2 of the rules on: by rate on the sum, rounded once; from a day on; the totals of an invoice."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.months import Month
from domain.policy import Policy
from domain.settlements.account import SettlementAccount, account_of
from domain.settlements.commands import AdoptRules
from domain.settlements.ids import creditor_reference, is_settlement_id, settlement_id
from domain.settlements.lines import (
    VAT_RATES,
    CorrectionLine,
    Line,
    VatRate,
    amount_of,
    to_five_centimes,
)
from tests.domain.settlements.strategies import ACCOUNTS, centimes, settlement_of
from tests.support.settlements import issued, opening, settled

OCTOBER = Month(2026, 10)


def line(sp_id: str, fee: str, day: date = date(2026, 10, 14)) -> Line:
    return Line(
        sp_id=sp_id,
        sales_order_id="1",
        executed_on=day,
        service="Montage",
        customer_place="8004 Zürich",
        fee=Decimal(fee),
    )


def account(*fees: str, rules: int = 2, **more: object) -> SettlementAccount:
    lines = [line(f"SP-{number}", fee) for number, fee in enumerate(fees, 1)]
    return settlement_of("p", OCTOBER, lines, vat_rates=VAT_RATES, rules=rules, **more)


def sums(made: SettlementAccount) -> list[tuple[str, str, str]]:
    return [(str(part.percent), str(part.net), str(part.vat)) for part in made.vat_sums]


class TestRounding:
    @pytest.mark.parametrize(
        ("fees", "by_line", "on_the_sum"),
        [
            (("129.00",), "10.45", "10.45"),
            (("129.00", "129.00"), "20.90", "20.90"),  # 20.898
            (("129.00",) * 3, "31.35", "31.35"),  # 31.347
            (("129.00",) * 5, "52.25", "52.25"),  # 52.245: half a centime goes up
            (("129.00",) * 7, "73.15", "73.14"),  # 73.143
            (("0.06", "0.06", "0.06"), "0.00", "0.01"),
            (("50.00", "50.00"), "8.10", "8.10"),
            (("89.90",) * 10, "72.80", "72.82"),  # 7.2819 each
        ],
    )
    def test_once_from_version_2_on(
        self, fees: tuple[str, ...], by_line: str, on_the_sum: str
    ) -> None:
        assert str(account(*fees, rules=1).vat) == by_line
        assert str(account(*fees, rules=2).vat) == on_the_sum

    @given(ACCOUNTS)
    @settings(max_examples=100)
    def test_is_the_exact_vat_of_each_rate_to_half_a_centime(self, made: SettlementAccount) -> None:
        made = made.model_copy(update={"rules": 2})
        for part in made.vat_sums:
            lines = [each for each in made.all_lines if made.percent(each) == part.percent]
            exact = sum(Fraction(amount_of(each)) for each in lines) * Fraction(part.percent) / 100
            assert abs(Fraction(part.vat) - exact) <= Fraction(1, 200)
        assert made.vat == sum(part.vat for part in made.vat_sums)
        assert made.total == made.net + made.vat

    def test_each_rate_is_rounded_by_itself(self) -> None:
        rates = (*VAT_RATES, VatRate(since=date(2026, 10, 15), percent=Decimal("8.8")))
        lines = [
            line("SP-1", "0.06", date(2026, 10, 14)),
            line("SP-2", "0.06", date(2026, 10, 14)),
            line("SP-3", "0.05", date(2026, 10, 15)),
            line("SP-4", "0.05", date(2026, 10, 31)),
        ]
        made = settlement_of("p", OCTOBER, lines, vat_rates=rates, rules=2)
        assert sums(made) == [("8.1", "0.12", "0.01"), ("8.8", "0.10", "0.01")]
        assert (str(made.vat), str(made.total)) == ("0.02", "0.24")
        assert made.has_several_rates

    def test_a_correction_is_part_of_the_sum(self) -> None:
        minus = CorrectionLine(
            sp_id="SP-0", reason="Rabatt", amount=Decimal("-0.06"), executed_on=date(2026, 9, 1)
        )
        assert str(account("0.06", "0.06", corrections=[minus]).vat) == "0.00"

    def test_a_statement_keeps_its_sums_when_its_settlement_adopts_newer_rules(self) -> None:
        of = opening("SP-1", "SP-2", rules=1)
        adopt = AdoptRules(version=2, policy=Policy())
        snapshot = settled(of, *issued(of), adopt)
        assert snapshot.settlement.rules == 2
        made = account_of(snapshot.settlement, [line("SP-1", "0.06"), line("SP-2", "0.06")])
        assert str(made.vat) == "0.00"

    def test_an_open_settlement_that_adopts_newer_rules_is_calculated_by_them(self) -> None:
        of = opening("SP-1", "SP-2", rules=1)
        snapshot = settled(of, AdoptRules(version=2, policy=Policy()))
        made = account_of(snapshot.settlement, [line("SP-1", "0.06"), line("SP-2", "0.06")])
        assert str(made.vat) == "0.01"

    def test_a_stored_account_without_a_version_is_under_version_1(self) -> None:
        stored = account("0.06", "0.06").model_dump_json(exclude={"rules", "vat_liable_from"})
        assert str(SettlementAccount.model_validate_json(stored).vat) == "0.00"


class TestLiability:
    LINES = (
        line("SP-1", "100.00", date(2026, 9, 30)),
        line("SP-2", "100.00", date(2026, 10, 1)),
        line("SP-3", "100.00", date(2026, 10, 2)),
    )

    def made(self, since: date | None, **changes: object) -> SettlementAccount:
        changes = {"vat_rates": VAT_RATES, "rules": 2, **changes}
        return settlement_of("p", OCTOBER, self.LINES, vat_liable_from=since, **changes)

    def test_begins_with_its_day(self) -> None:
        made = self.made(date(2026, 10, 1))
        assert sums(made) == [("8.1", "200.00", "16.20")]
        assert [made.percent(each) for each in made.lines] == [None, Decimal("8.1"), Decimal("8.1")]
        assert str(made.total) == "316.20"
        assert made.liable
        assert made.has_several_rates

    def test_without_a_day_it_holds_always(self) -> None:
        assert sums(self.made(None)) == [("8.1", "300.00", "24.30")]

    def test_before_its_day_there_is_no_vat(self) -> None:
        made = self.made(date(2026, 11, 1))
        assert (made.vat, made.vat_sums, made.liable) == (0, (), False)

    def test_without_a_vat_number_a_day_changes_nothing(self) -> None:
        made = self.made(date(2026, 1, 1), vat_rates=())
        assert (made.vat, made.liable) == (0, False)

    def test_version_1_knows_no_day(self) -> None:
        assert sums(self.made(date(2026, 11, 1), rules=1)) == [("8.1", "300.00", "24.30")]

    def test_a_correction_without_a_day_counts_in_the_month(self) -> None:
        one = CorrectionLine(sp_id="SP-0", reason="Anfahrt", amount=Decimal("10.00"))
        made = self.made(date(2026, 10, 31), corrections=[one])
        assert sums(made) == [("8.1", "10.00", "0.81")]


class TestTotalsOfAnInvoice:
    @pytest.mark.parametrize(
        ("fees", "totals"),
        [
            (("129.00",), ["139.45"]),
            (
                ("89.90",) * 10,
                ["971.82", "971.80"],
            ),  # by line 971.80, the nearest 5 centimes of both
            (("129.00",) * 7, ["976.14", "976.15"]),
            (("0.06", "0.06", "0.06"), ["0.19", "0.18", "0.20"]),
            (("10.01",), ["10.82", "10.80"]),
        ],
    )
    def test_from_version_2_on(self, fees: tuple[str, ...], totals: list[str]) -> None:
        assert list(map(str, account(*fees).invoice_totals)) == totals

    def test_under_version_1_there_is_one(self) -> None:
        made = account("10.01", rules=1)
        assert made.invoice_totals == (made.total,)

    def test_without_vat_only_the_5_centimes_differ(self) -> None:
        made = settlement_of("p", OCTOBER, [line("SP-1", "10.02")], rules=2)
        assert list(map(str, made.invoice_totals)) == ["10.02", "10.00"]

    @given(ACCOUNTS)
    @settings(max_examples=60)
    def test_are_near_the_statements(self, made: SettlementAccount) -> None:
        made = made.model_copy(update={"rules": 2})
        most = Decimal("0.005") * (len(made.all_lines) + len(made.vat_sums)) + Decimal("0.025")
        assert made.invoice_totals[0] == made.total
        assert all(abs(total - made.total) <= most for total in made.invoice_totals)

    @given(centimes(-99_999, 99_999))
    def test_5_centimes(self, amount: Decimal) -> None:
        rounded = to_five_centimes(amount)
        assert rounded % Decimal("0.05") == 0
        assert abs(rounded - amount) <= Decimal("0.02")
        assert rounded.as_tuple().exponent == -2


class TestFurtherSettlementsOfAMonth:
    @given(st.integers(2, 9))
    def test_have_ids_and_references_of_their_own(self, number: int) -> None:
        first, further = settlement_id("p", OCTOBER), settlement_id("p", OCTOBER, number)
        assert further == f"{first}-{number}"
        assert is_settlement_id(further)
        assert creditor_reference(further)[4:] == creditor_reference(first)[4:] + str(number)

    @pytest.mark.parametrize("wrong", ["-1", "-0", "-10", "/2", "--2", "2-"])
    def test_what_is_none(self, wrong: str) -> None:
        assert not is_settlement_id(settlement_id("p", OCTOBER) + wrong)
