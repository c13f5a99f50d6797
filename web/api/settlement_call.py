"""Common parts of the API's calls about settlements, their documents and corrections."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager
from math import ceil
from typing import Annotated

from fastapi import Depends, Path, Request, Response

import words
from domain.settlements.errors import SettlementRefused
from domain.settlements.uploads import Excess
from records.settlements import StoredSettlement
from records.uploads import OverQuota
from use_cases.opening import MOST_LEFT_OUT
from use_cases.principal import Principal
from use_cases.settlements import (
    AlreadySettled,
    NoSuchPaper,
    NothingToBill,
    PaperNotMade,
    SettlementUseCases,
    UnknownPartner,
    UnknownSettlement,
)
from use_cases.uploads import FileDeleted
from web import idempotency
from web.api.dependencies import made_in_loop
from web.api.orders import AcceptLanguage, Call
from web.problems import Problem, invalid, not_made
from web.security import GuardedRouter, may
from words.settlement_view import SettlementView, settlement_view
from words.uploads import file_deleted_text, quota_text

_NAMED_ERRORS = 50
CHECK_SECONDS = 30
"""After how many seconds a caller whose invoices are being checked may try again."""


def settlement_router() -> GuardedRouter:
    """An empty router for calls about settlements."""
    return GuardedRouter(strict_content_type=False)


class SettlementCall(Call):
    """A call about settlements: its use cases, the language of its answer, and the conversion of errors."""

    def __init__(self, request: Request, accept_language: AcceptLanguage = None) -> None:
        super().__init__(request, accept_language)
        self.settlements: SettlementUseCases = request.app.state.settlement_use_cases

    def shown(self, principal: Principal, found: StoredSettlement) -> SettlementView:
        """The settlement as this caller sees it now."""
        return settlement_view(
            found.settlement,
            found.account,
            found.events,
            self.settlements.now,
            self.language,
            principal.role,
        )

    def request_id(self, principal: Principal, about: str, action: str) -> str:
        """The id by which a repetition of this call is recognised."""
        return idempotency.request_id(self.request, principal, about, action)

    @asynccontextmanager
    async def translating(
        self, principal: Principal, asked: Sequence[str] = ()
    ) -> AsyncIterator[None]:
        """Turns errors of the use cases into problem documents in the caller's language.

        `asked` are the SP-IDs of the request: an error names the position of each that cannot be billed.
        """
        try:
            async with super().translating(principal):
                yield
        except UnknownSettlement as error:
            raise Problem(404, "Not Found", "There is no such settlement.") from error
        except UnknownPartner as error:
            raise Problem(404, "Not Found", "There is no such partner.") from error
        except NoSuchPaper as error:
            raise Problem(404, "Not Found", "There is no such document (yet).") from error
        except FileDeleted as error:
            at = error.deleted_at.astimezone(self.settlements.zone)
            raise Problem(
                410, "Gone", file_deleted_text(at, self.language), deleted_at=at.isoformat()
            ) from error
        except OverQuota as error:
            raise self._over_quota(error.excess) from error
        except PaperNotMade as error:
            raise not_made(words.paper_not_made_text(self.language)) from error
        except NothingToBill as error:
            raise self._nothing_to_bill(error, asked) from error
        except AlreadySettled as error:
            raise Problem(
                409,
                "Settled already",
                f"There is a settlement of this month: {error.settlement_id}.",
                allowed=list(error.allowed),
                code="already_settled",
                settlement_id=error.settlement_id,
                settlement_status=error.status,
            ) from error
        except SettlementRefused as refused:
            text = words.settlement_refusal_text(
                refused.action, refused.code, refused.status, refused.allowed, self.language
            )
            raise Problem(
                409,
                "Not allowed now",
                text,
                allowed=list(refused.allowed),
                code=refused.code,
                settlement_status=refused.status,
                settlement_status_label=words.settlement_status_label(
                    refused.status, self.language
                ),
            ) from refused

    def _over_quota(self, excess: Excess) -> Problem:
        frees_at = excess.frees_at.astimezone(self.settlements.zone)
        # There is room as soon as a check ends, which is sooner than its upload stops to count.
        seconds = ceil((excess.frees_at - self.settlements.now).total_seconds())
        wait = CHECK_SECONDS if excess.kind == "checks" else max(1, seconds)
        return Problem(
            429,
            "Too many invoices",
            quota_text(excess, frees_at, self.language),
            headers={"Retry-After": str(wait)},
            code=f"too_many_{'uploads' if excess.kind == 'files' else excess.kind}",
            limit=excess.limit,
            frees_at=frees_at.isoformat(),
        )

    def _nothing_to_bill(self, error: NothingToBill, asked: Sequence[str]) -> Problem:
        place = {sp_id: number for number, sp_id in reversed(list(enumerate(asked)))}
        errors = [
            (f"sp_ids.{place[each.sp_id]}", words.left_out_text(each.reason, self.language))
            for each in error.left_out[:_NAMED_ERRORS]
        ]
        if error.too_many:
            return invalid(errors, f"More than {MOST_LEFT_OUT} of these orders cannot be billed.")
        return invalid(errors, "None of these orders can be billed.")


class OneSettlementCall(SettlementCall):
    """A call about one settlement."""

    def __init__(
        self,
        request: Request,
        settlement_id: Annotated[str, Path(max_length=64, examples=["V202610-7KQ4MXBP"])],
        accept_language: AcceptLanguage = None,
    ) -> None:
        super().__init__(request, accept_language)
        self.settlement_id = settlement_id

    async def outcome(
        self, principal: Principal, work: Awaitable[StoredSettlement], asked: Sequence[str] = ()
    ) -> Response:
        """Wait for the work, and answer with the settlement afterwards."""
        async with self.translating(principal, asked):
            found = await work
        return self.answer(self.shown(principal, found))

    def command_id(self, principal: Principal, action: str) -> str:
        """The id by which the settlement recognises a repetition of this command."""
        return self.request_id(principal, self.settlement_id, action)


SettlementCallDep = Annotated[SettlementCall, Depends(made_in_loop(SettlementCall))]
OneSettlementCallDep = Annotated[OneSettlementCall, Depends(made_in_loop(OneSettlementCall))]
Reader = Annotated[Principal, may("read_settlements")]
