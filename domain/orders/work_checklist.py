"""What a technician checks at the customer's place for a service: the standard list."""

from typing import Literal, get_args

WorkItem = Literal[
    "goods_complete", "mounted", "connections_safe", "fixed_firmly", "works", "explained", "tidied"
]
ALL_WORK_ITEMS: tuple[WorkItem, ...] = get_args(WorkItem)

_ALWAYS_FIRST: tuple[WorkItem, ...] = ("goods_complete", "mounted")
_ALWAYS_LAST: tuple[WorkItem, ...] = ("works", "explained", "tidied")
_BETWEEN: dict[str, tuple[WorkItem, ...]] = {
    "install-washing-machine": ("connections_safe",),
    "install-dryer": ("connections_safe",),
    "install-dishwasher": ("connections_safe",),
    "install-fridge": ("connections_safe",),
    "install-oven": ("connections_safe",),
    "install-hob": ("connections_safe",),
    "install-hood": ("connections_safe", "fixed_firmly"),
    "mount-tv": ("fixed_firmly",),
    "mount-projector": ("fixed_firmly",),
    "assemble-furniture": ("fixed_firmly",),
}


def work_checklist(service_code: str) -> tuple[WorkItem, ...]:
    """The items of a service in the order in which they are done; all for an unknown service."""
    if service_code not in _BETWEEN:
        return ALL_WORK_ITEMS
    return (*_ALWAYS_FIRST, *_BETWEEN[service_code], *_ALWAYS_LAST)
