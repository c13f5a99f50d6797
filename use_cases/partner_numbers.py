"""Checks the UID and the IBAN of a partner when somebody enters them, and converts them to one form.

Stored numbers are not checked again, so that they stay readable.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from stdnum import iban
from stdnum.ch import uid
from stdnum.exceptions import InvalidLength, ValidationError

from records.partners import Partner
from use_cases.account_errors import Fault, WrongFields
from use_cases.input_files import UnusableFile

_VAT_SUFFIX = re.compile(r"(MWST|TVA|IVA|TPV)[\s.]*$", re.IGNORECASE)
_LONGEST = 100  # characters of a number with blanks; checking takes longer than linear time


def canonical_vat_number(text: str) -> str:
    """A Swiss VAT number: "CHE-107.787.577 MWST". The ending MWST, TVA, IVA or TPV stays as it is, and may be missing.

    Raises `ValueError` if it is not the UID of a firm.
    """
    suffix = _VAT_SUFFIX.search(text) if len(text) <= _LONGEST else None
    number = text[: suffix.start()].rstrip(" .-\t\n\r\u00a0") if suffix else text
    try:
        compact = uid.validate(_short(number))
    except ValidationError:
        raise ValueError(
            "must be a UID with right check digit, such as CHE-107.787.577 MWST"
        ) from None
    return uid.format(compact) + (f" {suffix[1].upper()}" if suffix else "")


def canonical_iban(text: str) -> str:
    """An IBAN or a Swiss QR-IBAN without blanks, in capitals. Raises `ValueError` if it is none."""
    try:
        compact: str = iban.validate(_short(text))
    except ValidationError:
        raise ValueError("must be an IBAN with right check digits") from None
    return compact


def _short(text: str) -> str:
    """The text, if it may be a number. Raises `ValidationError` if it is too long to be checked."""
    if len(text) > _LONGEST:
        raise InvalidLength
    return text


def checked(partners: Iterable[Partner]) -> list[Partner]:
    """These partners of a file with their numbers in canonical form.

    Raises:
        UnusableFile: a number is invalid. The text names the partner and the field.
    """
    made = []
    for partner in partners:
        try:
            made.append(Partner.model_validate(canonical(partner.model_dump(exclude_unset=True))))
        except WrongFields as error:
            raise UnusableFile(f"{partner.partner_id}: {error}") from error
    return made


_CANONICAL = {"vat_number": canonical_vat_number, "iban": canonical_iban}


def canonical(values: Mapping[str, Any]) -> dict[str, Any]:
    """These values of a partner, with UID and IBAN in their canonical forms. An empty text becomes None.

    Raises:
        WrongFields: one of the two is invalid.
    """
    made, faults = dict(values), []
    for name, convert in _CANONICAL.items():
        text = made.get(name)
        if not isinstance(text, str):
            continue
        try:
            made[name] = convert(text) if text.strip() else None
        except ValueError as error:
            faults.append(Fault(name, name, str(error)))
    if faults:
        raise WrongFields(*faults)
    return made
