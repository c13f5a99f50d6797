"""Bodies and answers of the API's calls about photos and execution protocols."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from domain.fields import Identifier, Note, TextLine
from domain.orders.messages import Side
from domain.orders.photos import PhotoKind
from domain.orders.protocol import CheckResult, Ending, Strokes
from domain.values import Input
from web.api.bodies import IsoInstant

_SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_PHOTO: dict[str, Any] = {
    "photo_id": "photo_0f3b9c1f5a7d4e2b",
    "sp_id": "SP-1048213",
    "partner_id": "elektro-huber",
    "kind": "photo",
    "sha256": _SHA,
    "width": 2048,
    "height": 1536,
    "bytes": 412731,
    "at": "2026-11-03T09:12:00+01:00",
    "by": "partner",
    "author": "Petra Huber",
}
_WRITTEN: dict[str, Any] = {
    "checklist": {"connected": "done", "tested": "done"},
    "begun": "2026-11-03T08:05:00+01:00",
    "ended": "2026-11-03T09:20:00+01:00",
    "remarks": "",
    "materials": "1 Eckventil",
    "ending": "signed",
    "signer": "Regula Müller",
    "signature_photo": "photo_7c1d9c1f5a7d4e20",
}
_PROTOCOL: dict[str, Any] = {
    **_WRITTEN,
    "sp_id": "SP-1048213",
    "version": 1,
    "partner_id": "elektro-huber",
    "at": "2026-11-03T09:21:00+01:00",
    "by": "partner",
    "author": "Petra Huber",
    "sha256": _SHA,
    "strokes": [],
    "reason": "",
    "photos": ["photo_0f3b9c1f5a7d4e2b"],
}


class PhotoAnswer(BaseModel):
    """A picture of an order. Its JPEG: `GET /orders/{sp_id}/photos/{photo_id}`."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PHOTO]})

    photo_id: str
    sp_id: str
    partner_id: str
    kind: PhotoKind
    sha256: str = Field(description="of the stored JPEG")
    width: int
    height: int
    bytes: int
    at: datetime
    by: Side
    author: str = Field(description="the name of the login or token")


class NewProtocol(Input):
    """An execution protocol. It names the photos that the order has."""

    model_config = ConfigDict(json_schema_extra={"examples": [_WRITTEN]})

    checklist: dict[TextLine, CheckResult] = Field(
        description="the answer to each item of `protocol_items`", max_length=30
    )
    begun: IsoInstant
    ended: IsoInstant
    remarks: Note = ""
    materials: Note = ""
    ending: Ending
    signer: Annotated[Note, Field(max_length=200)] = Field(
        "", description="who signed; with `signed` only"
    )
    strokes: Strokes = Field(
        (), description="the signature as lines of points, in a field of 1000 by 400"
    )
    signature_photo: Identifier | None = Field(
        None, description="a picture of kind `signature`, in place of `strokes`"
    )
    reason: Note = Field("", description="why there is no signature; not with `signed`")


class ProtocolAnswer(BaseModel):
    """A version of a protocol, as it was written."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PROTOCOL]})

    sp_id: str
    version: int
    partner_id: str
    at: datetime
    by: str
    author: str
    sha256: str = Field(description="of the whole version; the PDF shows it, too")
    checklist: dict[str, str]
    begun: datetime
    ended: datetime
    remarks: str
    materials: str
    ending: str
    signer: str
    strokes: Strokes
    signature_photo: str | None
    reason: str
    photos: list[str]


class Item(BaseModel):
    """An item of the checklist: the key of the answer, and its text."""

    item: str
    label: str


class OnSiteAnswer(BaseModel):
    """The photos and protocols of an order that this caller sees."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "photos": [_PHOTO],
                    "protocols": [_PROTOCOL],
                    "protocol_required": False,
                    "protocol_items": [{"item": "connected", "label": "Anschlüsse erstellt"}],
                }
            ]
        }
    )

    photos: list[PhotoAnswer]
    protocols: list[ProtocolAnswer] = Field(description="all versions, the latest first")
    protocol_required: bool = Field(
        description="whether the partner has to write a protocol before it confirms the execution"
    )
    protocol_items: list[Item]
