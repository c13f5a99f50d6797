"""The settlement's month, number, sums and rules."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from stdnum import iso11649

from domain.cantons import pin_calendar
from domain.months import Month
from domain.orders.commands import Bill, Cancel
from domain.orders.order import Order
from domain.policy import Policy
from domain.settlements.account import SettlementAccount
from domain.settlements.ids import creditor_reference, is_creditor_reference, settlement_id
from domain.settlements.lines import (
    VAT_RATES,
    CorrectionLine,
    Line,
    VatRate,
    amount_of,
    line_of,
    obstacle,
    vat_of,
    vat_percent,
)
from tests.domain.settlements.strategies import (
    ACCOUNTS,
    DAYS,
    IDENTIFIERS,
    MONTHS,
    settlement_of,
)
from tests.support.builders import ACCEPTED, BILLED, COMPLETED, lived

OCTOBER = Month(2026, 10)
CALENDAR = pin_calendar("ZH", Policy(), date(2026, 10, 1))
ID = settlement_id("elektro-huber", OCTOBER)


def line(sp_id: str = "SP-1", fee: str = "129.00", day: date = date(2026, 10, 14)) -> Line:
    return Line(
        sp_id=sp_id,
        sales_order_id="48392011",
        executed_on=day,
        service="Waschmaschine anschliessen",
        customer_place="8004 Zürich",
        fee=Decimal(fee),
    )


class TestMonth:
    @given(MONTHS)
    def test_is_written_and_read_back(self, month: Month) -> None:
        json = TypeAdapter(Month).dump_json(month)
        assert TypeAdapter(Month).validate_json(json) == month
        assert Month.parse(str(month)) == month
        assert json == f'"{month.year:04}-{month.month:02}"'.encode()

    @given(MONTHS.filter(lambda m: Month(1, 1) < m < Month(9998, 12)))
    def test_next_and_previous_adjoin(self, month: Month) -> None:
        assert month.next.previous == month.previous.next == month
        assert month.previous < month < month.next
        assert month.last_day + timedelta(days=1) == month.next.first_day
        assert Month.of(month.first_day) == Month.of(month.last_day) == month

    @pytest.mark.parametrize(
        "text", ["2026-13", "2026-00", "2026-1", "10-2026", "", "２０２６-10", 7]
    )
    def test_what_is_none_is_refused(self, text: object) -> None:
        with pytest.raises(ValidationError):
            TypeAdapter(Month).validate_python(text)

    @pytest.mark.parametrize(
        ("instant", "month"),
        [
            (datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC), "2026-10"),  # winter time: + 1 h
            (datetime(2026, 10, 31, 23, 0, tzinfo=UTC), "2026-11"),
            (datetime(2026, 9, 30, 21, 59, 59, tzinfo=UTC), "2026-09"),  # summer time: + 2 h
            (datetime(2026, 9, 30, 22, 0, tzinfo=UTC), "2026-10"),
            (datetime(2028, 2, 29, 22, 59, tzinfo=UTC), "2028-02"),
            (datetime(2028, 2, 29, 23, 0, tzinfo=UTC), "2028-03"),
        ],
    )
    def test_of_an_instant_is_zurichs(self, instant: datetime, month: str) -> None:
        calendar = pin_calendar("ZH", Policy(), instant.date())
        assert str(Month.at(instant, calendar)) == month
        assert Month.of(instant.astimezone(ZoneInfo("Europe/Zurich")).date()) == Month.parse(month)

    def test_a_run_on_the_first_settles_the_month_before(self) -> None:
        first_at_six = datetime(2027, 1, 1, 5, 0, tzinfo=UTC)
        assert Month.at(first_at_six, CALENDAR).previous == Month(2026, 12)


class TestNumber:
    def test_is_the_same_for_ever(self) -> None:
        assert ID == "V202610-Q93Q3BS6"
        assert creditor_reference(ID) == "RF70V202610Q93Q3BS6"

    @given(IDENTIFIERS, MONTHS)
    def test_becomes_a_valid_reference(self, partner_id: str, month: Month) -> None:
        number = settlement_id(partner_id, month)
        reference = creditor_reference(number)
        assert len(reference) <= 25
        assert iso11649.is_valid(reference)
        assert is_creditor_reference(iso11649.format(reference))

    def test_is_unique_for_a_partner_and_a_month(self) -> None:
        partners = [f"partner-{number}" for number in range(5000)]
        months = [Month(2026, number) for number in range(1, 13)]
        made = {settlement_id(partner, month) for partner in partners for month in months}
        assert len(made) == len(partners) * len(months)

    @given(st.integers(4, 18), st.sampled_from("0123456789ABCXYZ"))
    def test_a_typing_error_is_noticed(self, place: int, other: str) -> None:
        reference = creditor_reference(ID)
        # a letter counts as two digits, so that one in the place of a digit may go unnoticed
        assume(other.isdigit() == reference[place].isdigit())
        wrong = reference[:place] + other + reference[place + 1 :]
        assert is_creditor_reference(wrong) == (wrong == reference)

    # From ISO 11649's description, SIX's specification of the QR-bill, Finland's and Belgium's guides.
    @pytest.mark.parametrize(
        "known",
        [
            "RF18 5390 0754 7034",
            "RF18000000000539007547034",
            "RF332348236",
            "RF45 1234 5123 45",
        ],
    )
    def test_agrees_with_known_references(self, known: str) -> None:
        assert is_creditor_reference(known)

    @pytest.mark.parametrize(
        "wrong",
        [
            "RF18 5390 0754 7035",
            "RF332348231",
            "",
            "RF",
            "RF18",
            "RF18" + "0" * 22,
            "R١18539007547034",
        ],
    )
    def test_refuses_what_is_none(self, wrong: str) -> None:
        assert not is_creditor_reference(wrong)

    def test_of_what_is_no_settlement_id_there_is_no_reference(self) -> None:
        with pytest.raises(ValueError, match="settlement id"):
            creditor_reference("V202613-Q93Q3BS6")


class TestVat:
    @pytest.mark.parametrize(
        ("day", "percent"),
        [
            (date(2017, 12, 31), "7.7"),
            (date(2023, 12, 31), "7.7"),
            (date(2024, 1, 1), "8.1"),
            (date(2030, 1, 1), "8.1"),
        ],
    )
    def test_rate_by_date(self, day: date, percent: str) -> None:
        assert vat_percent(day, VAT_RATES) == Decimal(percent)

    def test_rates_are_configurable_in_any_order(self) -> None:
        rates = (VatRate(since=date(2028, 1, 1), percent=Decimal("8.8")), *VAT_RATES)
        assert vat_percent(date(2028, 1, 1), rates) == Decimal("8.8")
        assert vat_percent(date(2027, 12, 31), rates) == Decimal("8.1")
        with pytest.raises(ValueError, match="rate"):
            vat_percent(date(2028, 1, 1), ())

    @pytest.mark.parametrize(
        ("amount", "vat"),
        [
            ("129.00", "10.45"),  # 10.449
            ("50.00", "4.05"),
            ("0.50", "0.04"),  # 0.0405
            ("2.50", "0.20"),  # 0.2025
            ("500.00", "40.50"),
            ("10.00", "0.81"),
            ("0.06", "0.00"),
            ("1.50", "0.12"),  # 0.1215
            ("5.00", "0.41"),  # 0.405: half a centime goes up
            ("-5.00", "-0.41"),
        ],
    )
    def test_is_rounded_half_up(self, amount: str, vat: str) -> None:
        assert str(vat_of(Decimal(amount), Decimal("8.1"))) == vat

    def test_of_nothing_has_no_sign(self) -> None:
        assert str(vat_of(Decimal("-0.01"), Decimal("8.1"))) == "0.00"


class TestSums:
    @given(ACCOUNTS)
    @settings(max_examples=60)
    def test_add_up_on_paper(self, account: SettlementAccount) -> None:
        printed_net = [line.fee for line in account.lines]
        printed_net += [correction.amount for correction in account.corrections]
        printed_vat = [account.vat_on(line) for line in account.all_lines]
        if not account.rounds_each_line:
            printed_vat = [part.vat for part in account.vat_sums]
        assert account.net == sum(printed_net)
        assert account.vat == sum(printed_vat)
        assert account.total == account.net + account.vat
        for amount in (account.net, account.vat, account.total, *printed_vat):
            assert amount.as_tuple().exponent == -2
        if account.liable or not account.all_lines:
            with_vat = [each for each in account.all_lines if account.percent(each) is not None]
            assert sum(part.net for part in account.vat_sums) == sum(map(amount_of, with_vat))
            assert sum(part.vat for part in account.vat_sums) == account.vat
        else:
            assert account.vat == 0
            assert account.vat_sums == ()

    @given(ACCOUNTS)
    @settings(max_examples=25)
    def test_survive_json(self, account: SettlementAccount) -> None:
        back = SettlementAccount.model_validate_json(account.model_dump_json())
        assert back == account
        assert str(back.total) == str(account.total)

    def test_follow_the_day_of_execution(self) -> None:
        made = settlement_of(
            "p",
            Month(2024, 1),
            [line("SP-1", "100.00", date(2023, 12, 30)), line("SP-2", "100.00", date(2024, 1, 3))],
            corrections=[
                CorrectionLine(sp_id="SP-0", reason="Rabatt", amount=Decimal("-10.00")),
                CorrectionLine(
                    sp_id="SP-0",
                    reason="Anfahrt",
                    amount=Decimal("20.00"),
                    executed_on=date(2023, 5, 1),
                ),
            ],
            vat_rates=VAT_RATES,
        )
        assert [(str(s.percent), str(s.net), str(s.vat)) for s in made.vat_sums] == [
            ("7.7", "120.00", "9.24"),
            ("8.1", "90.00", "7.29"),
        ]
        assert str(made.total) == "226.53"

    def test_a_correction_undoes_a_line_exactly(self) -> None:
        undo = CorrectionLine(
            sp_id="SP-1", reason="Storno", amount=Decimal("-129.00"), executed_on=line().executed_on
        )
        made = settlement_of("p", OCTOBER, [line()], corrections=[undo], vat_rates=VAT_RATES)
        assert str(made.total) == "0.00"

    @pytest.mark.parametrize("amount", [1.5, True, "1.005", "NaN", "123456789012.00"])
    def test_money_is_exact(self, amount: object) -> None:
        with pytest.raises(ValidationError):
            CorrectionLine.model_validate({"sp_id": "SP-1", "reason": "x", "amount": amount})


class TestRules:
    def test_only_own_completed_orders_can_be_picked(self) -> None:
        done, _ = lived(*COMPLETED)
        billed, _ = lived(*COMPLETED, Bill(settlement_id=ID))
        cancelled, _ = lived(*ACCEPTED, Cancel(reason="Doppelt bestellt"))
        busy, _ = lived(*ACCEPTED)

        def why_not(order: Order, partner_id: str = "elektro-huber") -> str | None:
            owner = order.partner.partner_id
            return obstacle(owner, order.status, order.settlement_id, partner_id, ID)

        assert why_not(done) is None
        assert why_not(done, "sanitaer-meier") == "not_yours"
        assert why_not(billed) is None
        assert why_not(lived(*BILLED)[0]) == "billed"
        assert why_not(cancelled) == "cancelled"
        assert why_not(busy) == "not_completed"

    def test_the_line_of_an_order(self) -> None:
        done, _ = lived(*COMPLETED, city="Estavayer-le-Lac", postal_code="1470")
        assert done.executed_on is not None
        made = line_of(done.intake.placement, done.executed_on)
        assert made.customer_place == "1470 Estavayer-le-Lac"
        assert (made.sp_id, str(made.fee)) == ("SP-1048213", "129.00")
        assert made.executed_on == date(2026, 10, 7)

    def test_an_order_stands_in_it_once(self) -> None:
        with pytest.raises(ValidationError, match="more than once: SP-1"):
            settlement_of("p", OCTOBER, [line(), line()])

    @given(st.lists(DAYS, min_size=2, max_size=8))
    def test_lines_are_in_order(self, days: list[date]) -> None:
        made = settlement_of("p", OCTOBER, [line(f"SP-{n}", day=day) for n, day in enumerate(days)])
        assert [each.executed_on for each in made.lines] == sorted(days)
