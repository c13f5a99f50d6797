"""Shows the server that an activity's process lives, so that another one can soon take over when it does not."""

import asyncio
from typing import Any

from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from contracts import activities

BEAT = 2.0
"""Seconds between two signs of life, if the limit between them (`heartbeat_timeout`) does not ask for more."""

TO_THE_END = frozenset(
    {
        activities.SEND_MAIL,
        activities.SEND_SETTLEMENT_MAIL,
        activities.SEND_DIGEST,
        activities.REQUEST_SHIPPING,
    }
)
"""Their attempts are not cut off by a cancellation, which then only prevents the next one. Otherwise nobody would know
whether the thing went out."""


class Beating(Interceptor):
    """Sends heartbeats for every activity that has a limit between them, as long as it runs."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:
        """Implements `Interceptor.intercept_activity`."""
        return _Inbound(next)


class _Inbound(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:
        info = activity.info()
        if not info.heartbeat_timeout:
            return await super().execute_activity(input)
        pause = min(BEAT, info.heartbeat_timeout.total_seconds() / 3)
        work = asyncio.ensure_future(super().execute_activity(input))
        while not work.done():
            try:
                await asyncio.wait([work], timeout=pause)
            except asyncio.CancelledError:
                if info.activity_type not in TO_THE_END or _is_cut_off():
                    work.cancel()
                    await asyncio.wait([work])
            if not work.done():
                activity.heartbeat()
        return work.result()


def _is_cut_off() -> bool:
    """Whether the worker cannot wait any longer for the activity to end."""
    details = activity.cancellation_details()
    return details is None or details.worker_shutdown
