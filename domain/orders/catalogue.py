"""The services and what a partner must check at the customer's place before the goods are sent."""

from typing import get_args

from domain.orders.codes import ChecklistItem

ALL_ITEMS: tuple[ChecklistItem, ...] = get_args(ChecklistItem)

_CHECKLISTS: dict[str, tuple[ChecklistItem, ...]] = {
    "install-washing-machine": ("connections", "space", "passages"),
    "install-dryer": ("connections", "space", "passages"),
    "install-dishwasher": ("connections", "space", "passages"),
    "install-fridge": ("space", "passages"),
    "install-oven": ("connections", "space"),
    "install-hob": ("connections", "space"),
    "install-hood": ("connections", "space", "kit", "wall"),
    "mount-tv": ("connections", "space", "kit", "wall"),
    "mount-projector": ("connections", "kit", "wall"),
    "assemble-furniture": ("space", "passages"),
}


def checklist(service_code: str) -> tuple[ChecklistItem, ...]:
    """The items that a service asks about, in the order in which they are asked; all five for an unknown service."""
    return _CHECKLISTS.get(service_code, ALL_ITEMS)
