"""What a partner may upload within 24 hours, and when there is room again."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.settlements.uploads import WINDOW, PastUpload, Quota, excess, parse_quota
from tests.support.builders import MONDAY

MIB = 1 << 20


def past(*minutes: int, size: int = MIB, is_unchecked: bool = False) -> list[PastUpload]:
    """Uploads so many minutes after `MONDAY`."""
    return [PastUpload(MONDAY + timedelta(minutes=m), size, is_unchecked) for m in minutes]


def after(minutes: int) -> datetime:
    """When an upload of then is forgotten."""
    return MONDAY + timedelta(minutes=minutes) + WINDOW


@pytest.mark.parametrize(
    ("quota", "uploads", "size", "expected"),
    [
        (Quota(files=3), past(1, 2), 1, None),
        (Quota(files=3), past(9, 1, 5), 1, ("files", 3, after(1))),
        (Quota(files=2), past(9, 1, 5), 1, ("files", 2, after(5))),  # the limit was lowered
        (Quota(megabytes=20), past(1, 5, size=8 * MIB), 4 * MIB, None),
        (Quota(megabytes=20), past(1, 5, size=8 * MIB), 4 * MIB + 1, ("megabytes", 20, after(1))),
        (Quota(megabytes=20), past(1, 5, size=8 * MIB), 20 * MIB, ("megabytes", 20, after(5))),
        (Quota(checks=2), past(1, 5, is_unchecked=True), 1, ("checks", 2, after(1))),
        (Quota(checks=2), [*past(1, is_unchecked=True), *past(2, 3)], 1, None),
        (Quota(0, 0, 0), past(*range(200), size=20 * MIB, is_unchecked=True), 20 * MIB, None),
    ],
)
def test_what_has_room(
    quota: Quota, uploads: list[PastUpload], size: int, expected: tuple[object, ...] | None
) -> None:
    found = excess(quota, uploads, size)
    assert (None if found is None else tuple(found)) == expected


@given(
    st.lists(st.tuples(st.integers(0, 1400), st.integers(0, 20), st.booleans()), max_size=40),
    st.integers(0, 20),
    st.builds(Quota, st.integers(1, 30), st.integers(20, 99), st.integers(1, 9)),
)
def test_there_is_room_when_it_says_so(
    uploads: list[tuple[int, int, bool]], size: int, quota: Quota
) -> None:
    made = [PastUpload(MONDAY + timedelta(minutes=m), s * MIB, u) for m, s, u in uploads]
    now = MONDAY + timedelta(minutes=1400)
    for _ in range(3):  # one limit after the other
        found = excess(quota, [each for each in made if each.at > now - WINDOW], size * MIB)
        if found is None:
            return
        assert found.frees_at > now
        now = found.frees_at
    assert excess(quota, [each for each in made if each.at > now - WINDOW], size * MIB) is None


def test_the_setting() -> None:
    assert parse_quota("") == Quota(60, 200, 10)
    assert parse_quota(" files=5, checks = 0 ") == Quota(5, 200, 0)
    for wrong in ("files", "files=-1", "files=x", "bytes=3", "megabytes=19", "files=100001"):
        with pytest.raises(ValueError, match="must be"):
            parse_quota(wrong)
