"""The API's calls about corrections to a partner's next settlement."""

from typing import Annotated

from fastapi import Body, Response

from records.corrections import Correction
from use_cases.principal import Principal
from web.api import settlement_examples as examples
from web.api.accounts import PartnerId
from web.api.settlement_bodies import CorrectionAnswer, CorrectionBody, CorrectionList
from web.api.settlement_call import SettlementCall, SettlementCallDep, settlement_router
from web.problems import documented
from web.security import may

router = settlement_router()


@router.post(
    "/partners/{partner_id}/corrections",
    tags=["settlements"],
    summary="Add a correction to a partner's next settlement",
    status_code=201,
    response_model=CorrectionAnswer,
    responses=documented(401, 403, 404, 413, 422, 500, 503),
)
async def add_correction(
    call: SettlementCallDep,
    principal: Annotated[Principal, may("correct")],
    partner_id: PartnerId,
    body: Annotated[CorrectionBody, Body(openapi_examples=examples.CORRECTION)],
) -> Response:
    """The amount is positive or negative, for an order that this partner executed. A correction never changes."""
    request_id = call.request_id(principal, partner_id, "correct")
    async with call.translating(principal):
        made = await call.settlements.corrections.add(
            principal, partner_id, body.sp_id, body.amount, body.reason, request_id
        )
    return call.answer(_correction(call, made), 201)


@router.get(
    "/partners/{partner_id}/corrections",
    tags=["settlements"],
    summary="A partner's corrections",
    response_model=CorrectionList,
    responses=documented(401, 403, 404, 422, 500, 503),
)
async def list_corrections(
    call: SettlementCallDep,
    principal: Annotated[Principal, may("read_corrections")],
    partner_id: PartnerId,
) -> Response:
    """All corrections, the oldest first, each with the settlement that took it."""
    async with call.translating(principal):
        found = await call.settlements.corrections.of(principal, partner_id)
    return call.answer(CorrectionList(items=[_correction(call, each) for each in found]))


def _correction(call: SettlementCall, correction: Correction) -> CorrectionAnswer:
    return CorrectionAnswer(
        correction_id=correction.correction_id,
        partner_id=correction.partner_id,
        sp_id=correction.line.sp_id,
        amount=correction.line.amount,
        reason=correction.line.reason,
        by=correction.by,
        at=correction.at.astimezone(call.settlements.zone),
        settlement_id=correction.settlement_id,
    )
