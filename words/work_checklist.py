"""The texts of what a technician checks at the customer's place (`domain/orders/work_checklist.py`)."""

from collections.abc import Mapping

from domain.orders.order import Order
from domain.orders.work_checklist import WorkItem, work_checklist
from domain.values import Language
from words.translations import mark, say

_ITEMS: Mapping[WorkItem, str] = {
    "goods_complete": mark("Ware vollständig und unbeschädigt"),
    "mounted": mark("Nach Anleitung montiert"),
    "connections_safe": mark("Anschlüsse dicht und sicher"),
    "fixed_firmly": mark("Fest und gerade befestigt"),
    "works": mark("Funktion geprüft"),
    "explained": mark("Kundschaft instruiert, Anleitung übergeben"),
    "tidied": mark("Verpackung mitgenommen, Ort sauber hinterlassen"),
}


def work_items(order: Order, language: Language) -> tuple[str, ...]:
    """The checklist of an order's service as texts."""
    items = work_checklist(order.intake.placement.service.code)
    return tuple(say(language, _ITEMS[item]) for item in items)
