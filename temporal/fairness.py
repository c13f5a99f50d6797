"""Fairness on a full task queue: partners take turns, however many tasks each has waiting."""

from temporalio.common import Priority


def of_partner(partner_id: str) -> Priority:
    """The fairness key of a partner's workflows, which their activities and next runs inherit.

    An id is as long as a key may be, 64 bytes. It has an effect where the server's `matching.enableFairness` is on
    (docs/scaling.md).
    """
    return Priority(fairness_key=partner_id)
