"""Invoices as partners send them: made by ReportLab, an invoicing program that is not ours."""

import io
from collections.abc import Sequence

from reportlab.pdfgen.canvas import Canvas


def paper(lines: Sequence[str], *, each_page: int = 60, size: float = 9) -> bytes:
    """A PDF with these lines of text."""
    file = io.BytesIO()
    canvas = Canvas(file, invariant=1)
    for first in range(0, max(len(lines), 1), each_page):
        for number, line in enumerate(lines[first : first + each_page]):
            canvas.setFont("Helvetica", size)
            canvas.drawString(50, 800 - number * 12, line)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def invoice(
    settlement_id: str, sp_ids: Sequence[str], total: str, *, more: Sequence[str] = ()
) -> list[str]:
    """The lines of an invoice as a partner writes it."""
    return [
        "Sanitär Meier GmbH, 3012 Bern",
        "Rechnung Nr. 2026-118 vom 03.11.2026",
        f"Ihre Verrechnung {settlement_id}",
        *(
            f"{number}  {sp_id}  Montage vom 14.10.2026  129.00"
            for number, sp_id in enumerate(sp_ids, 1)
        ),
        *more,
        f"Total {total}",
        "Zahlbar innert 30 Tagen, IBAN CH93 0076 2011 6238 5295 7",
    ]
