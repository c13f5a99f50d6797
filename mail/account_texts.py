"""The texts of notices: about a login (`account/`), a partner's address (`partner/`), tokens (`operations/`)."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import words
from mail.texts import MailText, MailTexts, Reader, one_line
from records.account_notices import NoticeKind
from words.translations import mark, say

_RETAILER = mark("Eigene Systeme")


def notice_text(
    texts: MailTexts,
    kind: NoticeKind,
    reader: Reader,
    facts: Mapping[str, Any],
    at: datetime,
    zone: ZoneInfo,
) -> MailText:
    """The mail with a notice of what happened at `at`. `facts` are those that were stored with it."""
    language = reader.language
    _ = partial(say, language)
    when = words.format_instant(at.astimezone(zone), language)
    match kind:
        case (
            "password_changed" | "factor_set" | "factor_removed" | "factor_reset" | "calendar_made"
        ):
            values = {"email": one_line(facts["email"]), "when": when, "staff": reader.staff}
            return texts.compose_notice(f"account/{kind}", reader, values)
        case "email_changed":
            none = _("keine")
            rows = [
                (_("Bisherige Adresse"), masked_address(facts["before"]) or none),
                (_("Neue Adresse"), masked_address(facts["after"]) or none),
            ]
            values = {"when": when, "is_escalation": facts["is_escalation"]}
            return texts.compose_notice(f"partner/{kind}", reader, values, rows=rows)
        case "tokens_ended":
            rows = [(one_line(name), _owner(owner, language)) for name, owner in facts["tokens"]]
            values = {"maker": one_line(facts["maker"]), "when": when, "count": len(rows)}
            return texts.compose_notice(
                f"operations/{kind}", reader, values, rows, path="/staff/users"
            )
        case "tokens_end_soon":
            rows = [
                (
                    one_line(name),
                    f"{_owner(owner, language)}, {_('bis %(when)s', when=_instant(end, reader, zone))}",
                )
                for name, owner, end in facts["tokens"]
            ]
            values = {"count": len(rows)}
            return texts.compose_notice(
                f"operations/{kind}", reader, values, rows, path="/staff/users"
            )


def masked_address(address: str | None) -> str:
    """A masked e-mail address, which tells a stranger little: "p…@elektro-huber.example"; empty if there is none."""
    if not address:
        return ""
    local, _, domain = address.partition("@")
    return f"{local[:1]}…@{domain}"


def _owner(name: str | None, language: Any) -> str:
    return one_line(name) if name else say(language, _RETAILER)


def _instant(text: str, reader: Reader, zone: ZoneInfo) -> str:
    return words.format_instant(datetime.fromisoformat(text).astimezone(zone), reader.language)
