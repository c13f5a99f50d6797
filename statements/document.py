"""Makes a statement's PDF. It is called in a confined process by `statements/render_process.py`."""

import hashlib

from documents import pdf, templates
from domain.iban import in_fours
from domain.settlements.ids import creditor_reference
from statements.attachments import statement_csv, statement_json
from statements.data import Document, StatementData


def render(data: StatementData) -> Document:
    """The statement as PDF/A-3a and PDF/UA-1, its lines attached as CSV and JSON. The same data always gives
    the same bytes.

    Raises `MemoryError` and the errors of WeasyPrint.
    """
    checksum = data.checksum
    words = templates.words_of("statement", data.language)
    settlement = data.settlement
    number = settlement.settlement_id
    month = templates.month_name(settlement, words)
    html = templates.html_of(
        "statement/statement.html",
        data=data,
        words=words,
        language=data.language,
        title=f"{words['title']} {number}",
        author=data.accounting.company,
        subject=f"{data.partner.name}, {month}",
        created=data.created.isoformat(),
        month=month,
        reference=in_fours(creditor_reference(number)),
        widths=templates.column_widths(settlement, words),
    )
    made = pdf.make_pdf(
        html,
        identifier=bytes.fromhex(checksum)[:16],
        created=data.created,
        attached=[
            pdf.Attached(f"{number}.csv", statement_csv(data), words["csv"]),
            pdf.Attached(f"{number}.json", statement_json(data), words["json"]),
        ],
    )
    return Document(
        pdf=made.pdf,
        sha256=hashlib.sha256(made.pdf).hexdigest(),
        template_version=templates.template_version("statement", "statements", pdf.VERSIONS, words),
        input_checksum=checksum,
        pages=made.pages,
    )
