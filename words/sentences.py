"""Explanations in words: when a deadline is due, and why a command is refused."""

from collections.abc import Iterable, Mapping

from domain.orders.errors import Refused
from domain.orders.explanation import Explanation
from domain.orders.order import Status
from domain.values import Language
from words.dates import (
    count_in_words,
    duration_text,
    format_instant,
    format_short_day,
    span_in_words,
)
from words.labels import action_label, deadline_start, status_label
from words.translations import Meaning, mark, pmark, say

REFUSALS: Mapping[str, str] = {
    "wrong_state": mark("«%(action)s» ist im Status «%(status)s» nicht möglich."),
    "final": mark("Der Auftrag hat den Status «%(status)s» und lässt sich nicht mehr ändern."),
    "before_goods": mark("Ein Termin darf erst vereinbart werden, wenn die Ware unterwegs ist."),
    "not_yours": mark("Dieser Auftrag ist einem anderen Servicepartner zugeteilt."),
    "role": mark("Sie sind zu «%(action)s» nicht berechtigt."),
    "undo_over": mark(
        "Die Bestätigung lässt sich nicht mehr zurücknehmen. Bitte wenden Sie sich an das Servicepartner-Team."
    ),
    "other_settlement": mark("Der Auftrag gehört bereits zu einer anderen Verrechnung."),
    "too_many_entries": mark(
        "Der Verlauf dieses Auftrags ist sehr lang. «%(action)s» ist nicht mehr möglich. Bitte wenden Sie sich an das "
        "Servicepartner-Team."
    ),
}
ERASURE_REFUSALS: Mapping[str, str] = {
    "not_ended": mark(
        "Die Daten der Kundschaft lassen sich erst löschen, wenn der Auftrag verrechnet oder storniert ist."
    ),
    "still_running": mark(
        "Zum Auftrag werden noch Meldungen versendet. Bitte versuchen Sie es später noch einmal."
    ),
    "being_released": mark(
        "Die Verrechnung des Auftrags wurde aufgehoben. Bitte versuchen Sie es nach der neuen Verrechnung noch einmal."
    ),
}
MESSAGE_REFUSALS: Mapping[str, str] = {
    "erased": mark(
        "Die Daten der Kundschaft sind gelöscht. Zu diesem Auftrag lässt sich nichts mehr schreiben."
    ),
    "no_partner": mark(
        "Im Moment hat kein Servicepartner den Auftrag; niemand könnte die Nachricht lesen."
    ),
    "other_partner": mark(
        "Inzwischen hat ein anderer Servicepartner den Auftrag. Ihre Nachricht wurde nicht gesendet."
    ),
}
ON_SITE_REFUSALS: Mapping[str, str] = {
    "nobody_has_it": mark("Im Moment hat kein Servicepartner den Auftrag."),
    "another_has_it": mark("Inzwischen hat ein anderer Servicepartner den Auftrag."),
    "order_cancelled": mark("Der Auftrag ist storniert."),
    "ended_long_ago": mark("Der Auftrag ist schon zu lange abgeschlossen."),
    "in_protocol": mark("Dieses Foto gehört zu einem Protokoll und lässt sich nicht mehr löschen."),
    "not_yet": mark("Ein Protokoll ist möglich, sobald ein Termin vereinbart werden kann."),
}
INVALID: Mapping[str, str] = {
    "protocol_required": mark(
        "Für diese Dienstleistung braucht es zuerst ein Ausführungsprotokoll mit Unterschrift, oder mit dem Grund, "
        "weshalb sie fehlt."
    ),
    "photo_missing": mark("Bitte wählen Sie ein Foto."),
    "photo_too_large": mark("Das Foto ist grösser als 10 MB."),
    "photo_is_heic": mark(
        "Fotos im Format HEIC lassen sich nicht lesen. Stellen Sie die Kamera auf JPEG (iPhone: «Maximale "
        "Kompatibilität»), oder senden Sie das Foto als JPEG."
    ),
    "photo_unreadable": mark(
        "Diese Datei lässt sich nicht lesen. Möglich sind Fotos als JPEG, PNG oder WebP."
    ),
    "photo_too_many_pixels": mark("Das Foto hat mehr als 64 Millionen Bildpunkte."),
    "photo_has_virus": mark("In dieser Datei hat der Virenscanner etwas gefunden."),
    "too_many_photos": mark("Zu diesem Auftrag sind schon zehn Fotos gespeichert."),
    "too_many_photos_now": mark(
        "In den letzten 24 Stunden haben Sie schon 500 Fotos gespeichert. Bitte warten Sie."
    ),
    "unknown_photo": mark("Dieses Foto gibt es nicht."),
    "too_many_versions": mark("Von diesem Protokoll gibt es schon zwanzig Fassungen."),
    "work_in_future": mark("Das Ende der Arbeit darf nicht in der Zukunft liegen."),
    "work_ends_before_begin": mark("Das Ende der Arbeit muss nach ihrem Beginn liegen."),
    "work_too_long": mark("Ein Protokoll ist für einen Besuch: höchstens drei Tage."),
    "work_before_order": mark("Die Arbeit kann nicht vor der Bestellung begonnen haben."),
    "signer_missing": mark("Bitte geben Sie den Namen der Person an, die unterschrieben hat."),
    "signature_missing": mark("Die Unterschrift fehlt."),
    "two_signatures": mark(
        "Bitte entweder auf dem Bildschirm unterschreiben oder ein Bild senden, nicht beides."
    ),
    "signature_too_long": mark(
        "Diese Unterschrift hat zu viele Striche. Bitte noch einmal unterschreiben."
    ),
    "reason_with_signature": mark("Mit einer Unterschrift braucht es keinen Grund."),
    "no_signature_needs_reason": mark("Bitte geben Sie an, weshalb die Unterschrift fehlt."),
    "signature_not_asked": mark(
        "Bitte entweder eine Unterschrift oder den Grund, weshalb sie fehlt."
    ),
    "too_many_messages": mark(
        "Zu diesem Auftrag sind schon 300 Texte geschrieben. Bitte rufen Sie an."
    ),
    "too_many_messages_now": mark(
        "In der letzten Stunde sind zu diesem Auftrag schon 30 Texte geschrieben. Bitte warten Sie, oder rufen Sie an."
    ),
    "only_operations": mark("Interne Notizen schreibt nur das Servicepartner-Team."),
    "unknown_message": mark("Diese Nachricht gibt es nicht."),
    "item_not_asked": mark("Dieser Punkt gehört nicht zur Checkliste dieser Dienstleistung."),
    "item_missing": mark("Dieser Punkt der Checkliste ist noch nicht beantwortet."),
    "item_is_no": mark(
        "Ein «Nein» lässt sich nicht bestätigen: Wählen Sie «Anforderungen nicht erfüllt melden»."
    ),
    "item_answer": mark("Antworten Sie mit «Ja» oder «Trifft nicht zu»."),
    "end_before_start": mark("Das Ende des Termins muss nach dem Beginn liegen."),
    "appointment_too_long": mark("Ein Termin darf höchstens sieben Tage dauern."),
    "appointment_too_far": mark("Der Termin darf höchstens ein Jahr in der Zukunft liegen."),
    "appointment_in_past": mark("Der Termin darf nicht in der Vergangenheit liegen."),
    "appointment_beyond_policy": mark("Der Termin liegt zu weit in der Zukunft."),
    "appointment_unusual": mark(
        "Der Termin liegt ausserhalb der üblichen Zeiten oder auf einem Sonntag oder Feiertag. Bestätigen Sie, dass er "
        "so vereinbart ist."
    ),
    "appointment_before_goods": mark("Der Termin darf nicht vor dem Versand der Ware liegen."),
    "move_needs_reason": mark("Geben Sie an, weshalb der Termin verschoben wird."),
    "in_future": mark("Der Tag der Ausführung darf nicht in der Zukunft liegen."),
    "goods_not_received": mark(
        "Die Ware ist noch nicht als eingetroffen gemeldet. Melden Sie zuerst ihren Erhalt."
    ),
    "before_goods_received": mark(
        "Der Tag der Ausführung darf nicht vor dem Erhalt der Ware liegen."
    ),
    "before_appointment": mark(
        "Der Tag der Ausführung liegt vor dem Termin. Bestätigen Sie, dass früher ausgeführt wurde."
    ),
    "unreachable_needs_attempts": mark(
        "Halten Sie zuerst genügend Kontaktversuche an verschiedenen Tagen fest."
    ),
    "absent_before_appointment": mark(
        "Die Kundschaft kann erst nach Beginn des Termins abwesend sein."
    ),
    "reason_before_goods": mark("Dieser Grund ist erst möglich, wenn die Ware unterwegs ist."),
    "until_missing": mark("Geben Sie an, bis wann."),
    "until_not_possible": mark(
        "Das Datum muss in der Zukunft liegen, höchstens ein Jahr entfernt."
    ),
    "until_not_asked": mark("Zu dieser Angabe gehört kein Datum."),
    "before_order": mark("Der Tag der Ausführung darf nicht vor der Bestellung liegen."),
    "other_needs_note": mark("Beschreiben Sie den anderen Grund in der Bemerkung."),
    "older_rules": mark("Für den Auftrag gelten schon neuere Regeln."),
    "reserved_name": mark(
        "Dieser Name ist für anderes reserviert; bitte wählen Sie einen anderen."
    ),
    "unknown_partner": mark("Diesen Servicepartner gibt es nicht."),
    "unknown_user": mark("Diese Person gibt es in Ihrer Firma nicht (mehr)."),
    "same_partner": mark("Der Auftrag ist diesem Servicepartner bereits zugeteilt."),
    "partner_paused": mark("Dieser Servicepartner pausiert und erhält keine neuen Aufträge."),
    "partner_ended": mark("Die Zusammenarbeit mit diesem Servicepartner ist beendet."),
    "partner_needed": mark("Geben Sie an, für welchen Servicepartner."),
    "amount_is_zero": mark("Der Betrag darf nicht null sein."),
    "invoice_in_future": mark("Das Datum der Rechnung darf nicht in der Zukunft liegen."),
    "invoice_before_month": mark(
        "Das Datum der Rechnung darf nicht vor dem Monat der Verrechnung liegen."
    ),
    "invoice_number_used": mark("Diese Rechnungsnummer haben Sie schon verwendet."),
    "paid_in_future": mark("Der Tag der Zahlung darf nicht in der Zukunft liegen."),
    "paid_before_statement": mark(
        "Der Tag der Zahlung darf nicht vor dem Verrechnungsbeleg liegen."
    ),
    "day_in_future": mark("Der Tag darf nicht in der Zukunft liegen."),
    "not_utf8": mark(
        "Die Datei ist nicht in UTF-8 gespeichert. Speichern Sie sie als «CSV UTF-8»."
    ),
    "no_payments": mark("Die Datei enthält keine Zahlung."),
    "too_many_payments": mark(
        "Die Datei enthält mehr als 2000 Zahlungen. Bitte teilen Sie sie auf."
    ),
    "unknown_column": mark(
        "Die erste Zeile nennt eine unbekannte Spalte. Möglich sind settlement_id, amount, paid_on "
        "und reference."
    ),
    "column_twice": mark("Die erste Zeile nennt eine Spalte zweimal."),
    "column_missing": mark(
        "In der ersten Zeile fehlt eine Spalte. Es braucht settlement_id, amount und paid_on."
    ),
    "unknown_order": mark("Diesen Auftrag gibt es bei diesem Servicepartner nicht."),
    "not_executed": mark(
        "Dieser Auftrag ist nicht ausgeführt, und der Servicepartner hatte ihn auch nicht, als er "
        "storniert wurde."
    ),
}
_POLICY_MISSING = mark(
    "Die Fristen dieses Servicepartners («%(name)s») sind im Moment nicht hinterlegt, darum ist nichts geschehen. Das "
    "Servicepartner-Team muss sie wiederherstellen."
)
_ADOPTED = pmark("Beginn einer Frist", "Einführung neuerer Regeln")
_STARTS: Mapping[str, Meaning] = {
    "resumed": pmark("Beginn einer Frist", "Wiederaufnahme"),
    "reassigned": pmark("Beginn einer Frist", "neuer Zuteilung"),
    "accepted": pmark("Beginn einer Frist", "Übernahme"),
    "noticed": pmark("Beginn einer Frist", "Benachrichtigung"),
}
"""What a deadline runs from, if not from the event that its rule names."""
_NOTHING_ALLOWED = pmark("nach einer Ablehnung", "Im Moment ist für Sie nichts zu tun.")


def explanation_text(explanation: Explanation, language: Language) -> str:
    """How a deadline was calculated, like the example in docs/rules.md, "Deadlines".

    Holidays come in their order, then the number of weekends or, where Saturdays are working days, of Sundays. A plain
    duration has neither canton nor free days.
    """
    text = say(
        language,
        "%(span)s ab %(start)s (%(started)s)",
        start=_start(explanation, language),
        started=format_instant(explanation.started, language),
        span=span_in_words(explanation.span, language),
    )
    text = text[:1].upper() + text[1:]
    if explanation.stretched:
        text += say(
            language,
            ", um %(time)s verlängert, weil das CMI nicht erreichbar war",
            time=duration_text(explanation.stretched, language),
        )
    if explanation.span.working_days is None:
        return text
    text += say(language, ", Kanton %(canton)s", canton=explanation.canton)
    holiday = say(language, "Feiertag")
    skipped = [
        f"{free.names.get(language) or holiday} ({format_short_day(free.day, language)})"
        for free in explanation.skipped
        if free.kind == "holiday"
    ]
    for kind in ("weekend", "sunday"):
        if number := sum(free.kind == kind for free in explanation.skipped):
            skipped.append(count_in_words(number, kind, language))
    if skipped:
        text += say(language, "; nicht gezählt: %(skipped)s", skipped=", ".join(skipped))
    return text


def _start(explanation: Explanation, language: Language) -> str:
    """What the deadline runs from, before the instant."""
    if explanation.adopted:
        return say(language, _ADOPTED)
    start = _STARTS.get(explanation.basis)
    return say(language, start) if start else deadline_start(explanation.kind, language)


def refused_text(refused: Refused, language: Language) -> str:
    """`refusal_text` for an exception."""
    return refusal_text(refused.action, refused.code, refused.status, refused.allowed, language)


def refusal_text(
    action: str, code: str, status: Status, allowed: Iterable[str], language: Language
) -> str:
    """Why an action is refused, and what is allowed now. The arguments are the attributes of `Refused`."""
    why = refusal_reason(action, code, status, language)
    possible = allowed_text(allowed, language)
    if possible:
        return f"{why} {possible}"
    return f"{why} {nothing_allowed_text(language)}" if code == "wrong_state" else why


def allowed_text(allowed: Iterable[str], language: Language) -> str:
    """The sentence that lists the allowed actions: "Jetzt möglich: …". Empty if there are none."""
    return possible_text((action_label(action, language) for action in allowed), language)


def possible_text(labels: Iterable[str], language: Language) -> str:
    """The sentence that lists actions by their labels. Empty if there are none."""
    actions = ", ".join(labels)
    return say(language, "Jetzt möglich: %(actions)s.", actions=actions) if actions else ""


def nothing_allowed_text(language: Language) -> str:
    """The sentence that no action is possible now. It follows the reason of a refusal."""
    return say(language, _NOTHING_ALLOWED)


def refusal_reason(action: str, code: str, status: Status, language: Language) -> str:
    """Why a command was refused, without the allowed actions: for one that was sent as a signal (`CommandRefused`).

    The code may be of `Refused` or of `InvalidCommand`; an unknown one counts as `wrong_state`.
    """
    why = reason_of(code) or REFUSALS["wrong_state"]
    return say(
        language,
        why,
        action=action_label(action, language),
        status=status_label(status, language),
    )


def reason_of(code: str) -> str | None:
    """The marked sentence for a code of `Refused` or of `InvalidCommand`; None for an unknown one.

    Its values are `action` and, where the code is about the state, `status`.
    """
    for refusals in (REFUSALS, ERASURE_REFUSALS, MESSAGE_REFUSALS, ON_SITE_REFUSALS):
        if code in refusals:
            return refusals[code]
    return INVALID.get(code)


def invalid_text(code: str, language: Language) -> str:
    """What is wrong with a value: the sentence of an `InvalidCommand.code`, a general one for an unknown code."""
    text = INVALID.get(code) or mark("Diese Angabe ist nicht möglich.")
    return say(language, text)


def policy_missing_text(name: str, language: Language) -> str:
    """Why nothing can be placed or settled for a partner whose policy is missing."""
    return say(language, _POLICY_MISSING, name=name)
