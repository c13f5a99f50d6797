"""Money and days as they are written in Switzerland, in all its languages."""

from datetime import date
from decimal import Decimal

SEPARATOR = "'"


def money(amount: Decimal) -> str:
    """An amount with two decimals: "1'234.50", "-35.00"."""
    return f"{amount:,.2f}".replace(",", SEPARATOR)


def percent(rate: Decimal) -> str:
    """A rate without needless zeros: "8.1 %" (the blank does not break)."""
    return f"{rate.normalize():f}\u00a0%"


def day(value: date) -> str:
    """A day: "14.10.2026"."""
    return f"{value.day:02}.{value.month:02}.{value.year:04}"
