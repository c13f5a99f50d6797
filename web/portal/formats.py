"""The filters of the templates: money, days and times in Swiss notation and in the time zone Europe/Zurich."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date

from domain.iban import in_fours, masked
from domain.months import Month
from domain.values import LANGUAGES, Language
from words.dates import format_near
from words.translations import TRANSLATIONS, pmark, say

ZURICH = ZoneInfo("Europe/Zurich")

Filter = Callable[..., str]


def local(instant: datetime) -> datetime:
    """An instant in Swiss local time."""
    return instant.astimezone(ZURICH)


def today() -> date:
    """The date in Switzerland."""
    return local(datetime.now(UTC)).date()


def money(amount: Decimal, currency: bool = False) -> str:
    """An amount in francs: "1'234.50", or "CHF 1'234.50"."""
    written = f"{amount:,.2f}".replace(",", "’")
    return f"CHF {written}" if currency else written


def share(part: float | Decimal | None) -> str:
    """A share between 0 and 1: "98.2 %"; a dash for None."""
    return "–" if part is None else f"{Decimal(str(part)) * 100:.1f} %"


def day(value: date) -> str:
    """A day: "23.11.2026". An instant counts as its day in Switzerland."""
    return f"{_date(value):%d.%m.%Y}"


def iso_day(value: str) -> str:
    """A day that is given as in JSON, "2026-12-31", in Swiss notation."""
    return day(date.fromisoformat(value))


def time(instant: datetime) -> str:
    """The time of day: "18:00"."""
    return f"{local(instant):%H:%M}"


def instant(value: datetime) -> str:
    """A day and the time on it: "23.11.2026, 18:00"."""
    return f"{day(value)}, {time(value)}"


def long_day(language: Language) -> Filter:
    """The filter for a day with its weekday: "Montag, 23. November 2026"."""
    pattern = say(language, pmark("Muster für ein Datum", "EEEE, d. MMMM y"))

    def written(value: date) -> str:
        text = format_date(_date(value), pattern, locale=f"{language}_CH")
        return text[0].upper() + text[1:]

    return written


def month_name(value: Month | date, language: Language) -> str:
    """A month with its year, as within a sentence: "November 2026", "novembre 2026". A day counts as its month."""
    first = value.first_day if isinstance(value, Month) else value
    return format_date(first, "LLLL y", locale=f"{language}_CH")


def due(language: Language) -> Filter:
    """The filter for a deadline relative to now: "bis heute 18:00", "seit gestern überfällig"."""
    translations = TRANSLATIONS[language]
    gettext, ngettext = translations.gettext, translations.ngettext

    def late(since: datetime, now: datetime) -> str:
        days = (local(now).date() - local(since).date()).days
        minutes = int((now - since).total_seconds() // 60)
        if days == 1 and minutes >= 12 * 60:
            return gettext("seit gestern überfällig")
        if days >= 2:
            text = ngettext(
                "seit %(number)s Tag überfällig", "seit %(number)s Tagen überfällig", days
            )
            return text % {"number": days}
        if minutes >= 60:
            hours = minutes // 60
            text = ngettext(
                "seit %(number)s Stunde überfällig", "seit %(number)s Stunden überfällig", hours
            )
            return text % {"number": hours}
        if minutes < 1:
            return gettext("gerade überfällig geworden")
        text = ngettext(
            "seit %(number)s Minute überfällig", "seit %(number)s Minuten überfällig", minutes
        )
        return text % {"number": minutes}

    def written(at: datetime, now: datetime | None = None) -> str:
        now = now or datetime.now(UTC)
        if at <= now:
            return late(at, now)
        days = (local(at).date() - local(now).date()).days
        if days == 0:
            return gettext("bis heute %(time)s") % {"time": time(at)}
        if days == 1:
            return gettext("bis morgen %(time)s") % {"time": time(at)}
        weekday = short_weekday(local(at), language)
        date_of = f"{local(at):%d.%m.}" if days < 180 else day(at)
        values = {"weekday": weekday, "day": date_of, "time": time(at)}
        return gettext("bis %(weekday)s %(day)s %(time)s") % values

    return written


def near(language: Language) -> Filter:
    """The filter for an appointment in a list, short if it is near: "Mi 18:00", "Mi 14. Okt. 18:00"."""

    def written(at: datetime, now: datetime) -> str:
        return format_near(local(at), local(now).date(), language)

    return written


def short_weekday(value: date, language: Language) -> str:
    """The weekday, short: "Mo", "jeu."."""
    text = format_date(value, "EEE", locale=f"{language}_CH")
    return text.rstrip(".") if language == "de" else text


def language_name(named: Language, language: Language) -> str:
    """The name of a language in another one: "Französisch"."""
    name = Locale(named).get_display_name(language)
    assert name is not None, "CLDR names all supported languages"
    return name[0].upper() + name[1:]


def language_names(language: Language) -> list[tuple[Language, str]]:
    """All supported languages with their names in this language."""
    return [(each, language_name(each, language)) for each in LANGUAGES]


def filters(language: Language) -> dict[str, Filter]:
    """The filters of the templates in one language."""
    return {
        "money": money,
        "in_fours": in_fours,
        "masked_iban": masked,
        "share": share,
        "day": day,
        "iso_day": iso_day,
        "long_day": long_day(language),
        "month_name": partial(month_name, language=language),
        "language_name": partial(language_name, language=language),
        "time": time,
        "instant": instant,
        "due": due(language),
        "near": near(language),
    }


def _date(value: date) -> date:
    return local(value).date() if isinstance(value, datetime) else value
