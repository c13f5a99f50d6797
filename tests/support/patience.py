"""Patience with the database, for tests whose process does so much at once that its event loop stands still."""

from collections.abc import Iterator

import pytest

from records import limits


@pytest.fixture(autouse=True, scope="module")
def patience_with_connections() -> Iterator[None]:
    """Let the process of a module's tests wait for a connection as long as for a whole transaction.

    On a busy machine its event loop stands still for seconds, and a connection that is being made then runs into its
    limit although the server has answered. The processes of the product keep their limit.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "CONNECT_SECONDS", limits.LIMIT_SECONDS)
        yield
