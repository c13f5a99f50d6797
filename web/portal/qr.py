"""QR codes as inline SVG: no image to load, and no inline style, which the page's policy forbids."""

import qrcode
from markupsafe import Markup
from qrcode.constants import ERROR_CORRECT_M

_MARGIN = 4  # modules of white margin, as ISO/IEC 18004 requires


def qr_code(text: str) -> Markup:
    """The QR code of a text. Screen readers skip it: the page has the text as well."""
    code = qrcode.QRCode(error_correction=ERROR_CORRECT_M, border=0)
    code.add_data(text)
    rows = code.get_matrix()
    size = len(rows) + 2 * _MARGIN
    dark = "".join(
        f"M{x + _MARGIN} {y + _MARGIN}h1v1h-1z"
        for y, row in enumerate(rows)
        for x, is_dark in enumerate(row)
        if is_dark
    )
    return Markup(
        '<svg class="qr" viewBox="0 0 {0} {0}" aria-hidden="true" shape-rendering="crispEdges">'
        '<rect width="{0}" height="{0}" fill="#fff"/><path d="{1}" fill="#000"/></svg>'
    ).format(size, dark)
