"""The client of the sample data: it waits for what is away, and does nothing twice."""

import httpx
import pytest

from development import api_client
from development.api_client import Api, CallFailed


@pytest.fixture
def requests() -> list[httpx.Request]:
    return []


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, requests: list[httpx.Request]) -> Api:
    """The API, whose first two answers are that Temporal is away."""

    def answer(request: httpx.Request) -> httpx.Response:
        requests.append(request)
        return httpx.Response(503 if len(requests) < 3 else 201, json={"status": "new"})

    monkeypatch.setattr(api_client, "PAUSE", 0.0)
    made = Api("http://cmi.example", {"shop": {"token": "t"}, "partners": {}})
    made._http = httpx.AsyncClient(
        base_url="http://cmi.example", transport=httpx.MockTransport(answer)
    )
    return made


async def test_a_call_comes_again_with_the_same_key(
    api: Api, requests: list[httpx.Request]
) -> None:
    async with api:
        assert await api.post("shop", "/orders", {"sp_id": "SP-1"}) == {"status": "new"}
        await api.post("shop", "/orders", {"sp_id": "SP-2"})
    first, again, third, other = (each.headers["Idempotency-Key"] for each in requests)
    assert first == again == third != other
    assert [each.read() for each in requests[:2]] == [requests[2].read()] * 2


async def test_what_stays_away_is_a_failure(
    api: Api, requests: list[httpx.Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api_client, "PATIENCE", -1.0)
    async with api:
        with pytest.raises(CallFailed, match="shop GET /orders: 503"):
            await api.get("shop", "/orders")
    assert len(requests) == 1
