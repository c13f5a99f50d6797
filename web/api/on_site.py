"""The API's calls about photos and execution protocols of an order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Body, File, Form, Query, Response, UploadFile

from domain.orders.order import Order
from domain.orders.photos import LARGEST, Photo, PhotoKind
from domain.orders.protocol import Checked, Protocol
from records.on_site import KeptProtocol
from use_cases.confined_work import NotNow
from use_cases.on_site import NoProtocol, NoSuchPhoto, OnSite, OnSiteView
from use_cases.principal import Principal
from web.api.on_site_bodies import (
    Item,
    NewProtocol,
    OnSiteAnswer,
    PhotoAnswer,
    ProtocolAnswer,
)
from web.api.orders import OrderCall, OrderCallDep
from web.downloads import PICTURE_HEADERS, pdf_headers
from web.problems import Problem, documented, invalid, not_made
from web.security import GuardedRouter, may
from words import invalid_text
from words.order_view import zoned
from words.protocol import item_label

router = GuardedRouter(strict_content_type=False)

_JPEG = {"image/jpeg": {"schema": {"type": "string"}, "example": "…"}}
_PDF = {"application/pdf": {"schema": {"type": "string"}, "example": "%PDF-1.7 …"}}
_UPLOAD: dict[str, Any] = {
    "requestBody": {"content": {"multipart/form-data": {"example": {"photo": "…"}}}}
}


@router.get(
    "/orders/{sp_id}/on-site",
    tags=["orders"],
    summary="The photos and protocols of an order",
    response_model=OnSiteAnswer,
    responses=documented(401, 403, 404, 422, 500, 503),
)
async def get_on_site(
    call: OrderCallDep, principal: Annotated[Principal, may("read_on_site")]
) -> Response:
    """A partner sees what was recorded while it had the order; operations see everything."""
    async with _translating(call, principal):
        order = (await call.orders.find(principal, call.sp_id)).order
        found = await _on_site(call).view(principal, order)
    return call.answer(_view(call, order, found))


@router.post(
    "/orders/{sp_id}/photos",
    tags=["orders"],
    summary="Add a photo",
    status_code=201,
    response_model=PhotoAnswer,
    responses={
        200: {"model": PhotoAnswer, "description": "The same photo was added before."},
        **documented(401, 403, 404, 409, 413, 422, 500, 503),
    },
    openapi_extra=_UPLOAD,
)
async def add_photo(
    call: OrderCallDep,
    principal: Annotated[Principal, may("write_on_site")],
    photo: Annotated[UploadFile, File(description="JPEG, PNG or WebP, at most 10 MiB")],
    kind: Annotated[
        PhotoKind, Form(description="`signature`: of a signature on paper, for a protocol")
    ] = "photo",
) -> Response:
    """At most ten for an order. It is stored as a JPEG without metadata, of at most 2048 pixels on its longer side."""
    if (photo.size or 0) > LARGEST:
        text = invalid_text("photo_too_large", call.language)
        raise invalid([("photo", text)], text)
    content = await photo.read()
    async with _translating(call, principal):
        order = (await call.orders.find(principal, call.sp_id)).order
        kept = await _on_site(call).add_photo(principal, order, content, kind)
    return call.answer(_photo(order, kept.photo), 201 if kept.is_new else 200)


@router.get(
    "/orders/{sp_id}/photos/{photo_id}",
    tags=["orders"],
    summary="A photo",
    response_class=Response,
    responses={
        200: {"description": "The JPEG.", "content": _JPEG},
        **documented(401, 403, 404, 422, 500, 503),
    },
)
async def get_photo(
    call: OrderCallDep,
    principal: Annotated[Principal, may("read_on_site")],
    photo_id: str,
    small: Annotated[bool, Query(description="a small copy of at most 480 pixels")] = False,
) -> Response:
    """The stored JPEG."""
    async with _translating(call, principal):
        order = (await call.orders.find(principal, call.sp_id)).order
        photo, jpeg = await _on_site(call).picture(principal, order, photo_id, small=small)
    headers = PICTURE_HEADERS | {
        "Content-Disposition": f'attachment; filename="{photo.photo_id}.jpg"'
    }
    return Response(jpeg, media_type="image/jpeg", headers=headers)


@router.delete(
    "/orders/{sp_id}/photos/{photo_id}",
    tags=["orders"],
    summary="Delete a photo",
    response_model=OnSiteAnswer,
    responses=documented(401, 403, 404, 409, 422, 500, 503),
)
async def delete_photo(
    call: OrderCallDep,
    principal: Annotated[Principal, may("write_on_site")],
    photo_id: str,
) -> Response:
    """Not possible once a protocol names it. The answer lists the remaining photos and protocols."""
    async with _translating(call, principal):
        order = (await call.orders.find(principal, call.sp_id)).order
        await _on_site(call).delete_photo(principal, order, photo_id)
        found = await _on_site(call).view(principal, order)
    return call.answer(_view(call, order, found))


@router.post(
    "/orders/{sp_id}/protocol",
    tags=["orders"],
    summary="Write the execution protocol",
    status_code=201,
    response_model=ProtocolAnswer,
    responses=documented(401, 403, 404, 409, 413, 422, 500, 503),
)
async def write_protocol(
    call: OrderCallDep,
    principal: Annotated[Principal, may("write_on_site")],
    body: Annotated[NewProtocol, Body()],
) -> Response:
    """Each further protocol is a new version. Earlier versions are kept."""
    protocol = Protocol(
        checklist=tuple(Checked(item=each, result=r) for each, r in body.checklist.items()),
        begun=body.begun,
        ended=body.ended,
        remarks=body.remarks,
        materials=body.materials,
        ending=body.ending,
        signer=" ".join(body.signer.split()),
        strokes=body.strokes,
        reason=body.reason,
    )
    async with _translating(call, principal):
        order = (await call.orders.find(principal, call.sp_id)).order
        kept = await _on_site(call).write_protocol(
            principal,
            order,
            protocol,
            request_id=call.request_id(principal, "protocol"),
            signature_photo=body.signature_photo,
        )
    return call.answer(_protocol(order, kept), 201)


@router.get(
    "/orders/{sp_id}/protocol.pdf",
    tags=["orders"],
    summary="The execution protocol as PDF",
    response_class=Response,
    responses={
        200: {"description": "The PDF, in the customer's language.", "content": _PDF},
        **documented(401, 403, 404, 422, 500, 503),
    },
)
async def get_protocol_pdf(
    call: OrderCallDep,
    principal: Annotated[Principal, may("read_on_site")],
    version: Annotated[int | None, Query(ge=1, description="by default the latest")] = None,
) -> Response:
    """The protocol of the partner that has the order. 404 if there is none."""
    async with _translating(call, principal):
        order = (await call.orders.find(principal, call.sp_id)).order
        kept, made = await _on_site(call).pdf(principal, order, version)
    return Response(made, media_type="application/pdf", headers=pdf_headers(kept.version))


def _on_site(call: OrderCall) -> OnSite:
    use_cases: OnSite = call.request.app.state.on_site
    return use_cases


@asynccontextmanager
async def _translating(call: OrderCall, principal: Principal) -> AsyncIterator[None]:
    async with call.translating(principal):
        try:
            yield
        except NoSuchPhoto as error:
            raise Problem(404, "Not Found", "There is no such photo.") from error
        except NoProtocol as error:
            raise Problem(404, "Not Found", "There is no such protocol.") from error
        except NotNow as error:
            raise not_made("This cannot be done just now; please try again.") from error


def _view(call: OrderCall, order: Order, found: OnSiteView) -> OnSiteAnswer:
    return OnSiteAnswer(
        photos=[_photo(order, each) for each in found.photos],
        protocols=[_protocol(order, each) for each in found.protocols],
        protocol_required=found.is_missing,
        protocol_items=[
            Item(item=each, label=item_label(each, call.language)) for each in found.items
        ],
    )


def _photo(order: Order, photo: Photo) -> PhotoAnswer:
    return PhotoAnswer(
        photo_id=photo.photo_id,
        sp_id=photo.sp_id,
        partner_id=photo.partner_id,
        kind=photo.kind,
        sha256=photo.sha256,
        width=photo.width,
        height=photo.height,
        bytes=photo.size,
        at=zoned(order.calendar, photo.at),
        by=photo.side,
        author=photo.author,
    )


def _protocol(order: Order, kept: KeptProtocol) -> ProtocolAnswer:
    version, protocol = kept.version, kept.version.protocol
    return ProtocolAnswer(
        sp_id=version.sp_id,
        version=version.version,
        partner_id=version.partner_id,
        at=zoned(order.calendar, version.at),
        by=version.side,
        author=version.author,
        sha256=kept.sha256,
        checklist={each.item: each.result for each in protocol.checklist},
        begun=zoned(order.calendar, protocol.begun),
        ended=zoned(order.calendar, protocol.ended),
        remarks=protocol.remarks,
        materials=protocol.materials,
        ending=protocol.ending,
        signer=protocol.signer,
        strokes=protocol.strokes,
        signature_photo=protocol.signature_photo.photo_id if protocol.signature_photo else None,
        reason=protocol.reason,
        photos=[each.photo_id for each in protocol.photos],
    )
