"""Commands from forms: their ids, and the texts about a command that was repeated or cannot be carried out now."""

import hashlib
import json

from domain.values import Language
from temporal.calls import TemporalAway
from use_cases.orders import RequestReused
from use_cases.principal import Principal
from web.portal.forms import Form, request_id_of
from words.translations import TRANSLATIONS, mark

_REUSED = mark("Das wurde bereits ausgeführt.")
_AWAY = mark(
    "Das System ist im Moment nicht erreichbar. Bitte senden Sie noch einmal: Ausgeführt wird es nur einmal."
)


def command_id(principal: Principal, form: Form, about: str, content: str) -> str:
    """The id of a form's command, so that it is carried out once. `about`: what the command is for, an SP-ID or a path.

    The same form with the same content always has the same id. If somebody goes back and changes the content, that is a
    new command with another id.
    """
    parts = "\n".join((principal.login_id, request_id_of(form), about, content))
    return hashlib.sha256(parts.encode()).hexdigest()[:40]


def typed_content(form: Form, form_name: str) -> str:
    """The input of a form, as `content` of `command_id`.

    The command itself cannot serve as `content`: if it contains "now", it differs each time that the form is sent.
    """
    return json.dumps([field for field in form.fields if field[0].startswith(f"{form_name}.")])


def repeat_text(failure: RequestReused | TemporalAway, language: Language) -> str:
    """Tells the reader that the form was carried out before, or that it should be sent again."""
    away = isinstance(failure, TemporalAway)
    return TRANSLATIONS[language].gettext(_AWAY if away else _REUSED)
