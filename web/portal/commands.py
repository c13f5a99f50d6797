"""What a form asks for as a command: its id, and why it was not carried out when that lies with nobody's input."""

import hashlib

from domain.values import Language
from temporal.calls import TemporalAway
from use_cases.orders import RequestReused
from use_cases.principal import Principal
from web.portal.forms import Form, request_id_of
from web.portal.words import WORDS, mark

_REUSED = mark("Das wurde bereits ausgeführt.")
_AWAY = mark(
    "Das System ist im Moment nicht erreichbar. Bitte senden Sie noch einmal: Ausgeführt wird es nur einmal."
)


def command_id(principal: Principal, form: Form, about: str, content: str) -> str:
    """The name under which what a form says is done, once; `about` is what it is said of: an SP-ID, a path.

    The same form with the same content is the same command, however often it is sent. Who goes back and changes
    something in it means another one, which is judged by itself.
    """
    named = "\n".join((principal.login_id, request_id_of(form), about, content))
    return hashlib.sha256(named.encode()).hexdigest()[:40]


def repeat_text(failure: RequestReused | TemporalAway, language: Language) -> str:
    """What is said, in the reader's language, of a form that came before, or that is to be sent once more."""
    away = isinstance(failure, TemporalAway)
    return WORDS[language].gettext(_AWAY if away else _REUSED)
