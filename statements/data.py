"""The input of a statement, and the finished document."""

import hashlib
import json
from datetime import date
from typing import Self

from pydantic import model_validator

from domain.fields import EmailAddress, Identifier, TextLine
from domain.settlements.account import SettlementAccount
from domain.settlements.invoicing import InvoiceNumber
from domain.values import Language, Value

_ABOUT = {"template_version", "input_checksum", "pages"}


class Letterhead(Value):
    """The partner's data as in a letterhead."""

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
    """The issuer of the statement, to whom the partner addresses its invoice."""

    company: TextLine
    department: TextLine
    street: TextLine
    postal_code: TextLine
    city: TextLine
    email: EmailAddress


class StatementData(Value):
    """All data of a statement. The same data always gives the same bytes."""

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
        """SHA-256 of all the data, in hexadecimal."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()


class InvoiceData(StatementData):
    """All data of an invoice, which CMI makes in the partner's name. Without a number it is a draft.

    `created` is the date of the invoice.
    """

    invoice_number: InvoiceNumber | None = None


class Document(Value):
    """A finished PDF, and the data that are stored with it."""

    pdf: bytes
    sha256: str
    template_version: str
    input_checksum: str
    pages: int

    def packed(self) -> bytes:
        """The document as bytes for another process: a line of JSON, then the PDF."""
        return self.model_dump_json(include=_ABOUT).encode() + b"\n" + self.pdf

    @classmethod
    def unpacked(cls, packed: bytes) -> Self:
        """The document from its packed bytes. `sha256` is computed from the received PDF."""
        about, _, pdf = packed.partition(b"\n")
        return cls(pdf=pdf, sha256=hashlib.sha256(pdf).hexdigest(), **json.loads(about))
