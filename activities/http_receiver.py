"""Posts JSON to a system of the retailer: the warehouse or the shop. It takes each idempotency key once."""

import ssl
from datetime import timedelta
from http import HTTPStatus

import httpx
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

_TIMEOUT = 10  # seconds, for each step of the exchange
_REPAIRED_BY_PEOPLE = timedelta(minutes=10)
# Client errors that a retry can solve. All others have to be repaired by people on one of the two sides.
_PASSING = (
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.TOO_EARLY,
    HTTPStatus.TOO_MANY_REQUESTS,
)


class HttpReceiver:
    """A system of the retailer that takes JSON by POST at a URL.

    `name` begins the types of failures: `WarehouseRefused`, `WarehouseUnavailable`. `token` is a bearer token.
    """

    def __init__(self, name: str, url: str, token: SecretStr | None) -> None:
        self._name = name
        self._url = url
        self._token = token
        self._tls = ssl.create_default_context()

    async def post(self, what: str, key: str, content: str) -> None:
        """Post JSON with its idempotency key (ASCII). `what` names it in failures. 409 means that the key is known.

        Raises an `ApplicationError` to be retried, with the answer's status and nothing of its text.
        """
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token.get_secret_value()}"
        async with httpx.AsyncClient(timeout=_TIMEOUT, verify=self._tls) as client:
            response = await client.post(self._url, content=content, headers=headers)
        status = response.status_code
        if response.is_success or status == HTTPStatus.CONFLICT:
            return
        lasting = response.is_client_error and status not in _PASSING
        raise ApplicationError(
            f"{what}: the {self._name.lower()} answered {status}",
            type=f"{self._name}{'Refused' if lasting else 'Unavailable'}",
            next_retry_delay=_REPAIRED_BY_PEOPLE if lasting else None,
            category=ApplicationErrorCategory.BENIGN,
        )
