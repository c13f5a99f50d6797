"""Sends heartbeats for running activities, so that another process soon retries them if theirs dies."""

import asyncio
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from contracts import activities

BEAT_SECONDS = 2.0
"""The most seconds between two heartbeats. A short `heartbeat_timeout` needs a shorter interval."""

UNINTERRUPTED = frozenset(
    {
        activities.SEND_MAIL,
        activities.SEND_SETTLEMENT_MAIL,
        activities.SEND_DIGEST,
        activities.REQUEST_SHIPPING,
        activities.STOP_SHIPPING,
        activities.NOTIFY_SHOP,
    }
)
"""Activities that a cancellation does not interrupt, because it would be unknown whether they sent anything.

A cancellation only prevents the next attempt.
"""


class Heartbeats(Interceptor):
    """Sends heartbeats for every activity with a `heartbeat_timeout` while it runs."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Implements `Interceptor.intercept_activity`."""
        return _Inbound(next)


class _Inbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        if not info.heartbeat_timeout:
            return await super().execute_activity(input)
        pause = min(BEAT_SECONDS, info.heartbeat_timeout.total_seconds() / 3)
        work = asyncio.ensure_future(super().execute_activity(input))
        while not work.done():
            try:
                await asyncio.wait([work], timeout=pause)
            except asyncio.CancelledError:
                if info.activity_type not in UNINTERRUPTED or _is_shutting_down():
                    work.cancel()
                    await asyncio.wait([work])
            if not work.done():
                activity.heartbeat()
        return work.result()


def _is_shutting_down() -> bool:
    """Whether the worker shuts down and does not wait longer for the activity."""
    details = activity.cancellation_details()
    return details is None or details.worker_shutdown
