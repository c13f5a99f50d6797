"""Passwords: which ones are allowed, and their argon2 hashes."""

import asyncio
import re
import secrets
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from pwdlib import PasswordHash
from zxcvbn import zxcvbn

from use_cases.account_errors import Busy

SHORTEST = 12  # characters
LONGEST = 128  # characters, of a new password (ASVS 2.1.2)
_LONGEST_CHECKED = (
    256  # older passwords may have so many; a longer one would only cost processor time
)
_EASY = 10**8
"""A password that takes fewer guesses is refused: whoever has the hash finds it at once."""
_LONGEST_GUESSED = 72  # characters; `zxcvbn` takes no more
_OBVIOUS = (
    "cmi", "passwort", "kennwort", "geheim", "willkommen", "hallo", "sommer", "winter", "frühling", "herbst", "schatz",
    "schweiz", "zürich", "zuerich", "auftrag", "servicepartner", "motdepasse", "bonjour", "bienvenue", "soleil",
    "suisse", "ciao", "benvenuto", "segreta", "svizzera",
)  # fmt: skip
"""Words that people here choose first, and that the lists of common passwords, which are English, lack."""
_AT_A_TIME = 4  # a hash takes 64 MiB
_MOST_WAITING = 32  # half a second with four at a time
_RETRY_AFTER_SECONDS = 5


def weakness(password: str, email: str, name: str) -> tuple[str, str] | None:
    """Why a user with this e-mail and name may not have this password: a code and a sentence. None if it is allowed."""
    if len(password) < SHORTEST:
        return "too_short", f"must have at least {SHORTEST} characters"
    if len(password) > LONGEST:
        return "too_long", f"must have at most {LONGEST} characters"
    if len(set(password)) < 4:
        return "too_simple", "must have more than three different characters"
    own = {_letters_and_digits(text) for text in (email, email.partition("@")[0], name)}
    if _letters_and_digits(password) in own:
        return "own_name", "must not be the e-mail address or the name"
    if _is_common(password, email, name):
        return "common", "is a password that many people use, or nearly one"
    return None


def _is_common(password: str, email: str, name: str) -> bool:
    """Whether it is a common password, or easily guessed from one or from the user's name and address.

    Capitals, digits for letters, repetitions, or a digit or two behind a common password do not help.
    """
    known = [*re.split(r"\W+", f"{email} {name}"), *_OBVIOUS]
    found = zxcvbn(password[:_LONGEST_GUESSED], [word for word in known if len(word) > 2])
    return bool(found["guesses"] < _EASY)


def _letters_and_digits(text: str) -> str:
    return re.sub(r"[\W_]", "", unicodedata.normalize("NFKC", text).casefold())


class Passwords:
    """Hashes and checks passwords, in threads and a few at a time: each takes some 50 ms and 64 MiB.

    A few more wait for their turn; the next one is refused at once (`Busy`), before it takes any memory.
    """

    def __init__(self) -> None:
        self._hash = PasswordHash.recommended()
        self._turns = asyncio.Semaphore(_AT_A_TIME)
        self._waiting = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """The hash to store. Raises `Busy`."""
        async with self._turn():
            return await asyncio.to_thread(self._hash.hash, _bytes(password))

    async def check(self, password: str, hashed: str | None) -> tuple[bool, str | None]:
        """Whether it is the password, and a new hash to store if the parameters of hashes have changed.

        Without a hash the result is False after the same time, so that the time does not reveal unknown users.

        Raises:
            Busy: too many are waiting.
        """
        if hashed is None:
            if self._nobodys is None:
                self._nobodys = await self.hash(secrets.token_urlsafe())
            hashed, known = self._nobodys, False
        else:
            known = True
        if len(password) > _LONGEST_CHECKED:
            password, known = "", False
        async with self._turn():
            right, better = await asyncio.to_thread(
                self._hash.verify_and_update, _bytes(password), hashed
            )
        return (True, better) if right and known else (False, None)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._turns.locked() and self._waiting >= _MOST_WAITING:
            raise Busy(_RETRY_AFTER_SECONDS)
        self._waiting += 1
        try:
            await self._turns.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turns.release()


def _bytes(password: str) -> bytes:
    """The bytes to hash, in one Unicode normal form, so that an umlaut is equal from every keyboard."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "replace")
