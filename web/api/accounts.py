"""Common parts of the calls about partners, logins and tokens (docs/contract.md, "Partners, logins and tokens")."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, cast

from fastapi import Depends, Path, Request
from pydantic import BaseModel, ConfigDict

from use_cases.account_errors import Conflict, NotFound, Throttled, WrongFields
from use_cases.accounts import Accounts
from use_cases.principal import Principal
from web.problems import Problem, documented, invalid
from web.security import GuardedRouter, may


def account_router() -> GuardedRouter:
    """An empty router for calls that only operations may make."""
    return GuardedRouter(
        tags=["accounts"],
        dependencies=[may("administer")],
        responses=documented(401, 403, 422, 500, 503),
    )


async def _accounts(request: Request) -> Accounts:
    return cast(Accounts, request.app.state.accounts)


AccountsDep = Annotated[Accounts, Depends(_accounts)]
Operations = Annotated[Principal, may("administer")]
PartnerId = Annotated[str, Path(max_length=64, examples=["elektro-huber"])]


class AccountInput(BaseModel):
    """A request body. An unknown field is refused, so that a misspelt name is reported."""

    model_config = ConfigDict(extra="forbid")


@contextmanager
def account_errors() -> Iterator[None]:
    """Turns the errors of the use cases into problem documents: 404, 409, 422 or 429."""
    try:
        yield
    except NotFound as error:
        raise Problem(404, "Not Found", str(error)) from None
    except Conflict as error:
        raise Problem(409, "Conflict", str(error), allowed=[]) from None
    except WrongFields as error:
        raise invalid((fault.field, fault.message) for fault in error.faults) from None
    except Throttled as error:
        later = {"Retry-After": str(error.retry_after)}
        raise Problem(429, "Too many", "Too many mails were sent.", headers=later) from None
