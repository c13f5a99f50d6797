"""HTML to PDF with WeasyPrint: PDF/A-3a and PDF/UA-1, embedded fonts, reproducible bytes, no network access.

WeasyPrint declares one standard in a file and leaves some of PDF/UA-1 to its callers. `_finish` adds that before the
file is written: the second declaration, the scope of headers, tables that run over several pages as one table, and
page headers and footers as artifacts, which a screen reader skips.
"""

import gc
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from io import BytesIO
from typing import Any, NamedTuple

from documents.text import FONTS

# fontconfig reads this when WeasyPrint is imported. The fonts of the machine must not be used in a document.
os.environ["FONTCONFIG_FILE"] = str(FONTS / "fonts.conf")

try:
    import weasyprint
except OSError as error:  # a process that fails reports only the names of its errors
    raise ImportError("Pango is missing on this machine: make setup") from error
import pydyf
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

VERSIONS = f"weasyprint {weasyprint.__version__}, pydyf {pydyf.__version__}"
"""The libraries that the bytes of a document depend on."""
_VARIANT = "pdf/a-3a"

# The identification of PDF/UA-1, and its description, which PDF/A requires for schemas that are not its own.
_PDF_UA = b"""
<rdf:Description rdf:about="" xmlns:pdfuaid="http://www.aiim.org/pdfua/ns/id/" pdfuaid:part="1"/>
<rdf:Description rdf:about="" xmlns:pdfaExtension="http://www.aiim.org/pdfa/ns/extension/"
 xmlns:pdfaSchema="http://www.aiim.org/pdfa/ns/schema#" xmlns:pdfaProperty="http://www.aiim.org/pdfa/ns/property#">
<pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType="Resource">
<pdfaSchema:schema>PDF/UA identification schema</pdfaSchema:schema>
<pdfaSchema:namespaceURI>http://www.aiim.org/pdfua/ns/id/</pdfaSchema:namespaceURI>
<pdfaSchema:prefix>pdfuaid</pdfaSchema:prefix>
<pdfaSchema:property><rdf:Seq><rdf:li rdf:parseType="Resource">
<pdfaProperty:name>part</pdfaProperty:name>
<pdfaProperty:valueType>Integer</pdfaProperty:valueType>
<pdfaProperty:category>internal</pdfaProperty:category>
<pdfaProperty:description>The part of ISO 14289 that the file conforms to</pdfaProperty:description>
</rdf:li></rdf:Seq></pdfaSchema:property>
</rdf:li></rdf:Bag></pdfaExtension:schemas>
</rdf:Description>
"""


class Attached(NamedTuple):
    """A file attached to the document: its content for programs."""

    name: str
    data: bytes
    description: str


class Made(NamedTuple):
    """A PDF and the number of its pages."""

    pdf: bytes
    pages: int


PICTURES = "picture:"
"""What the addresses of a document's own pictures begin with; their names are the rest."""


class _NoFetcher(URLFetcher):  # type: ignore[misc]
    """A fetcher that gives the document's own pictures (JPEG) and refuses every other URL."""

    def __init__(self, pictures: Mapping[str, bytes]) -> None:
        super().__init__(allowed_protocols=(), allow_redirects=False, fail_on_errors=True)
        self._pictures = pictures

    def fetch(self, url: str, headers: object = None) -> URLFetcherResponse:
        own = self._pictures.get(url.removeprefix(PICTURES)) if url.startswith(PICTURES) else None
        if own is None:
            raise PermissionError("documents fetch nothing")
        return URLFetcherResponse(url, own, {"Content-Type": "image/jpeg"})


def make_pdf(
    html: str,
    *,
    identifier: bytes,
    created: date,
    attached: Sequence[Attached] = (),
    pictures: Mapping[str, bytes] = {},
) -> Made:
    """Convert HTML to a PDF. The HTML contains the title and the language.

    `identifier` is that of the PDF file, `created` the date of the attachments, `pictures` the JPEGs that the HTML
    shows by the addresses `picture:<name>`. Raises the errors of WeasyPrint.
    """
    at = datetime.combine(created, time(), UTC)
    attachments = [
        weasyprint.Attachment(
            file_obj=BytesIO(each.data),
            name=each.name,
            description=each.description,
            created=at,
            modified=at,
            relationship="Data",
        )
        for each in attached
    ]
    # During the layout the garbage collector frees nothing and takes a third of the time, so it runs afterwards, when
    # it frees a sixth of the memory. It skips objects that were loaded before.
    collecting = gc.isenabled()
    gc.disable()
    gc.freeze()
    try:
        source = weasyprint.HTML(string=html, url_fetcher=_NoFetcher(pictures))
        document = source.render(font_config=FontConfiguration(), pdf_variant=_VARIANT)
        gc.collect()
        pdf = document.write_pdf(
            pdf_variant=_VARIANT,
            pdf_identifier=identifier,
            attachments=attachments,
            full_fonts=True,  # subsets would differ with the machine's version of HarfBuzz
            finisher=_finish,
        )
    finally:
        gc.unfreeze()
        if collecting:
            gc.enable()
    assert isinstance(pdf, bytes)
    return Made(pdf, len(document.pages))


# --- requirements of PDF/UA-1 that WeasyPrint does not meet -----------------------------------------


def _finish(document: object, pdf: pydyf.PDF) -> None:
    root = _object(pdf, pdf.catalog["StructTreeRoot"])
    (structure,) = _children(pdf, root)
    _join_tables(pdf, structure)
    structured = set()
    for element in _elements(pdf, structure):
        structured.add(element.number)
        if element["S"] == "/TR":
            _scope_headers(pdf, element)
    _mark_artifacts(pdf, _object(pdf, root["ParentTree"])["Nums"], structured)
    _declare_pdf_ua(_object(pdf, pdf.catalog["Metadata"]))
    if "AF" in pdf.catalog:  # WeasyPrint lists each attachment twice
        pdf.catalog["AF"][:] = dict.fromkeys(pdf.catalog["AF"])
    _compress(pdf)


def _compress(pdf: pydyf.PDF) -> None:
    """Compress the streams. pydyf would compress each of them twice, for the file and for its identifier."""
    for each in pdf.objects:
        if isinstance(each, pydyf.Stream) and each.compress:
            content = each.data.partition(b"\nstream\n")[2].removesuffix(b"\nendstream")
            each.stream = [content]
            each.extra["Filter"] = "/FlateDecode"
            each.compress = False


def _object(pdf: pydyf.PDF, reference: bytes) -> Any:
    return pdf.objects[int(reference.split()[0])]


def _children(pdf: pydyf.PDF, element: pydyf.Dictionary) -> list[pydyf.Dictionary]:
    """The child elements of an element, without its marked content (numbers)."""
    return [_object(pdf, kid) for kid in element["K"] if not isinstance(kid, int)]


def _elements(pdf: pydyf.PDF, element: pydyf.Dictionary) -> Iterator[pydyf.Dictionary]:
    """An element and all its descendants."""
    yield element
    for child in _children(pdf, element):
        yield from _elements(pdf, child)


def _join_tables(pdf: pydyf.PDF, structure: pydyf.Dictionary) -> None:
    """Join the parts of a table that spans pages. WeasyPrint tags a separate table with a head on each page.

    The repeated heads are left out of the structure.
    """
    first = None
    for element in _children(pdf, structure):
        parts = _children(pdf, element) if element["S"] == "/Table" else []
        if not any(part["S"] == "/THead" for part in parts):
            first = None
        elif first is None or first["Pg"] == element["Pg"]:
            first = element
        else:
            for part in parts:
                if part["S"] != "/THead":
                    part["P"] = first.reference
                    first["K"].append(part.reference)
            structure["K"].remove(element.reference)


def _scope_headers(pdf: pydyf.PDF, row: pydyf.Dictionary) -> None:
    """Set the scope of each header in a row: its column, or its row.

    WeasyPrint's header lists of cells are removed, because they refer to identifiers without the required index.
    """
    in_head = _object(pdf, row["P"])["S"] == "/THead"
    for cell in _children(pdf, row):
        attributes = cell["A"]
        attributes.pop("Headers", None)
        cell.pop("ID", None)
        if cell["S"] == "/TH":
            of_column = in_head or "ColSpan" in attributes
            attributes["Scope"] = "/Column" if of_column else "/Row"
        elif len(attributes) == 1:
            del cell["A"]


def _mark_artifacts(pdf: pydyf.PDF, parents: pydyf.Array, structured: set[int]) -> None:
    """Mark content that belongs to no element as artifacts: page headers and footers, repeated heads.

    `parents` is the parent tree: for each page its number and an array of the elements of its marked contents.
    """
    for reference, of_page in zip(pdf.page_references, parents[1::2], strict=False):
        artifacts = set()
        for mcid, parent in enumerate(of_page):
            element = _object(pdf, parent)
            if element.number not in structured:
                artifacts.add(mcid)
                of_page[mcid] = "null"
                element.clear()
        content = _object(pdf, _object(pdf, reference)["Contents"]).stream
        for index, part in enumerate(content):
            if isinstance(part, dict) and part.get("MCID") in artifacts:
                content[index - 1] = "/Artifact"
                content[index] = pydyf.Dictionary({"Type": "/Pagination"})


def _declare_pdf_ua(metadata: pydyf.Stream) -> None:
    end = b"</rdf:RDF>"
    metadata.stream = [part.replace(end, _PDF_UA + end) for part in metadata.stream]
