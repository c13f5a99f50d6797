"""Why a deadline is when it is, and why a command is refused, in words."""

from collections.abc import Iterable

from domain.orders.errors import Refused
from domain.orders.explanation import Explanation
from domain.orders.order import Status
from domain.values import Language
from domain.words.dates import count_in_words, format_instant, format_short_day, span_in_words
from domain.words.labels import action_label, status_label
from domain.words.languages import VOCABULARIES
from domain.words.vocabulary import Vocabulary


def explanation_text(explanation: Explanation, language: Language) -> str:
    """How a deadline was calculated, as in the example of docs/rules.md, "Deadlines".

    Holidays come in their order, then the weekends, counted. A plain duration knows neither canton nor free days.
    """
    vocabulary = VOCABULARIES[language]
    text = vocabulary.due.format(
        due=format_instant(explanation.due, language),
        start=_start(explanation, vocabulary),
        started=format_instant(explanation.started, language),
        span=span_in_words(explanation.span, language),
    )
    if explanation.span.working_days is None:
        return text
    text += vocabulary.canton.format(canton=explanation.canton)
    skipped = [
        f"{free.names.get(language) or vocabulary.holiday} ({format_short_day(free.day, language)})"
        for free in explanation.skipped
        if free.kind == "holiday"
    ]
    weekends = sum(free.kind == "weekend" for free in explanation.skipped)
    if weekends:
        skipped.append(count_in_words(weekends, "weekend", language))
    return text + vocabulary.skipped.format(skipped=", ".join(skipped)) if skipped else text


def _start(explanation: Explanation, vocabulary: Vocabulary) -> str:
    words = vocabulary.deadlines.get(explanation.kind)
    if explanation.adopted:
        return vocabulary.adopted
    return words.start if words else explanation.kind


def refused_text(refused: Refused, language: Language) -> str:
    """`refusal_text` of a refusal that is at hand."""
    return refusal_text(refused.action, refused.code, refused.status, refused.allowed, language)


def refusal_text(
    action: str, code: str, status: Status, allowed: Iterable[str], language: Language
) -> str:
    """Why an action is refused, and what is allowed now. The arguments are the attributes of `Refused`."""
    vocabulary = VOCABULARIES[language]
    why = refusal_reason(action, code, status, language)
    possible = allowed_text(allowed, language)
    if possible:
        return f"{why} {possible}"
    return f"{why} {vocabulary.nothing_allowed}" if code == "wrong_state" else why


def allowed_text(allowed: Iterable[str], language: Language) -> str:
    """What is possible now: "Jetzt möglich: …". Empty if it is nothing."""
    actions = ", ".join(action_label(action, language) for action in allowed)
    return VOCABULARIES[language].allowed.format(actions=actions) if actions else ""


def refusal_reason(action: str, code: str, status: Status, language: Language) -> str:
    """Why a command was refused, without what is allowed: for one that was left as a signal (`CommandRefused`).

    The code may be of `Refused` or of `InvalidCommand`; one that nobody knows is a wrong state.
    """
    vocabulary = VOCABULARIES[language]
    sentences = {**vocabulary.invalid, **vocabulary.refusals}
    why = sentences.get(code, sentences["wrong_state"])
    return why.format(action=action_label(action, language), status=status_label(status, language))


def invalid_text(code: str, language: Language) -> str:
    """What is wrong with a value: the sentence of an `InvalidCommand.code`, a general one if nobody knows it."""
    vocabulary = VOCABULARIES[language]
    return vocabulary.invalid.get(code, vocabulary.invalid_otherwise)
