"""The number of a settlement: short enough to type, and valid in a payment reference."""

import hashlib
import re

from domain.months import Month

# No vowels, so that it spells no words, and no characters that are mistaken for others: 0 O, 1 I L, U V.
_ALPHABET = "23456789BCDFGHJKMNPQRSTWXYZ"
_CODE_LENGTH = 8
MOST_IN_A_MONTH = 9
"""The most settlements of one partner and month: the first, and those that follow voided ones."""
_SETTLEMENT_ID = re.compile(
    rf"V([0-9]{{4}})(0[1-9]|1[0-2])-?([{_ALPHABET}]{{{_CODE_LENGTH}}})(?:-?([2-9]))?", re.ASCII
)
_REFERENCE = re.compile(r"RF[0-9]{2}[0-9A-Z]{1,21}", re.ASCII)


def settlement_id(partner_id: str, month: Month, number: int = 1) -> str:
    """The Verrechnungs-ID of a partner's settlement of a month: "V202610-7KQ4MXBP".

    If that one was voided, the next settlement of the month is "V202610-7KQ4MXBP-2", then "-3", up to
    `MOST_IN_A_MONTH`. Without hyphens it is the payload of a creditor reference.

    The code is taken from a hash of the partner's id (38 bits), and is the same in each month. The probability that any
    two of 5000 partners share a code is 0.005 %.
    """
    digest = hashlib.sha256(b"settlement of " + partner_id.encode()).digest()
    rest = int.from_bytes(digest, "big")
    code = ""
    for _ in range(_CODE_LENGTH):
        rest, digit = divmod(rest, len(_ALPHABET))
        code += _ALPHABET[digit]
    return f"V{month.year:04}{month.month:02}-{code}" + (f"-{number}" if number > 1 else "")


def is_settlement_id(text: str) -> bool:
    """Whether a text is a settlement id."""
    return _SETTLEMENT_ID.fullmatch(text) is not None


def creditor_reference(settlement: str) -> str:
    """A settlement id as an ISO 11649 creditor reference, without spaces: "RF", two check digits, payload.

    Raises `ValueError` if it is not a settlement id.
    """
    match = _SETTLEMENT_ID.fullmatch(settlement.upper())
    if match is None:
        raise ValueError(f"expected a settlement id, not {settlement!r}")
    payload = "V" + "".join(match.groups(""))
    return f"RF{98 - _remainder(f'{payload}RF00'):02}{payload}"


def is_creditor_reference(text: str) -> bool:
    """Whether a text, with or without spaces, is an ISO 11649 creditor reference with correct check digits."""
    compact = "".join(text.split()).upper()
    return bool(_REFERENCE.fullmatch(compact)) and _remainder(compact[4:] + compact[:4]) == 1


def _remainder(text: str) -> int:
    """ISO 7064 MOD 97-10: letters count from A = 10."""
    return int("".join(str(int(character, 36)) for character in text)) % 97
