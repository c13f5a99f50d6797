"""Health checks, without a token: `/healthz` (the process is alive), `/readyz` (its dependencies answer)."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from records.database import Database
from web.problems import RETRY_AFTER_SECONDS, Problem, documented

WITHIN = timedelta(seconds=2)

router = APIRouter(tags=["health"])


class Alive(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Ready(BaseModel):
    """Temporal and the database answer, too."""

    status: Literal["ready"] = "ready"
    temporal: Literal["ok"] = "ok"
    database: Literal["ok"] = "ok"


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Alive:
    """The process is alive. Nothing else is checked."""
    return Alive()


@router.get("/readyz", summary="Do Temporal and the database answer?", responses=documented(503))
async def readyz(request: Request) -> Ready:
    """503 names what does not answer within two seconds."""
    client: Client = request.app.state.temporal
    database: Database = request.app.state.database
    asked = DescribeNamespaceRequest(namespace=client.namespace)
    temporal, records = await asyncio.gather(
        _answers(client.workflow_service.describe_namespace(asked, timeout=WITHIN)),
        _answers(database.ping()),
    )
    if temporal and records:
        return Ready()
    away = [name for name, ok in (("Temporal", temporal), ("the database", records)) if not ok]
    raise Problem(
        503,
        "Not ready",
        f"Away just now: {', '.join(away)}.",
        headers={"Retry-After": str(RETRY_AFTER_SECONDS)},
        temporal="ok" if temporal else "away",
        database="ok" if records else "away",
    )


async def _answers(call: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(WITHIN.total_seconds()):
            await call
    except Exception:  # any failure means that it does not answer
        return False
    return True
