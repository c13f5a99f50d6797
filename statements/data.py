"""Everything a statement shows, and what comes out of it."""

import hashlib
import json
from datetime import date
from typing import Self

from pydantic import model_validator

from domain.fields import EmailAddress, Identifier, TextLine
from domain.settlements.account import SettlementAccount
from domain.values import Language, Value

_ABOUT = {"template_version", "input_checksum", "pages"}


class Letterhead(Value):
    """The partner as its letters show it."""

    partner_id: Identifier
    name: TextLine
    street: TextLine
    postal_code: TextLine
    city: TextLine
    email: EmailAddress
    phone: TextLine
    vat_number: TextLine | None = None
    iban: TextLine | None = None


class Accounting(Value):
    """Who issues the statement, and where the partner's invoice goes."""

    company: TextLine
    department: TextLine
    street: TextLine
    postal_code: TextLine
    city: TextLine
    email: EmailAddress


class StatementData(Value):
    """What a statement shows. The same data always gives the same document, byte for byte."""

    settlement: SettlementAccount
    partner: Letterhead
    accounting: Accounting
    language: Language
    created: date

    @model_validator(mode="after")
    def _of_the_partner(self) -> "StatementData":
        if self.partner.partner_id != self.settlement.partner_id:
            raise ValueError("the settlement is another partner's")
        return self

    @property
    def checksum(self) -> str:
        """SHA-256 of all of it, in hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class Document(Value):
    """A finished PDF, and what is kept with it."""

    pdf: bytes
    sha256: str
    template_version: str
    input_checksum: str
    pages: int

    def packed(self) -> bytes:
        """The whole document, to be handed from one process to another: a line of JSON, then the PDF."""
        return self.model_dump_json(include=_ABOUT).encode() + b"\n" + self.pdf

    @classmethod
    def unpacked(cls, packed: bytes) -> Self:
        """The document that was packed. The checksum is that of the PDF as it came."""
        about, _, pdf = packed.partition(b"\n")
        return cls(pdf=pdf, sha256=hashlib.sha256(pdf).hexdigest(), **json.loads(about))
