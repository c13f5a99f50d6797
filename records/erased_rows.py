"""Erases the customer's data in the rows of an order, and keeps transactions from writing them again."""

from datetime import datetime

from sqlalchemy import Connection, delete, exists, insert, or_, select, update

from domain.orders.erasure import ERASED, erase_events, erase_order, is_erased
from domain.orders.order import Order
from records.customer_links import delete_customer_rows
from records.erased_settlements import erase_texts_of_settlements
from records.message_mails import erase_messages
from records.order_mails import delete_events
from records.order_rows import document_row, event_row, events_after, order_of, order_row
from records.person_mails import delete_person_mails
from records.tables import (
    documents,
    erasures,
    execution_protocols,
    idempotency,
    mails,
    order_photos,
    orders,
    timeline,
)


def is_recorded_as_erased(connection: Connection, sp_id: str) -> bool:
    """Whether the customer's data of an order were erased."""
    return bool(connection.execute(select(exists().where(erasures.c.sp_id == sp_id))).scalar_one())


def is_erased_by_now(connection: Connection, sp_id: str) -> bool:
    """Whether the customer's data are erased now, for a writer who read the order earlier.

    An erasure waits until the writer's transaction ends.
    """
    connection.execute(
        select(orders.c.sp_id)
        .where(orders.c.sp_id == sp_id)
        .with_for_update(read=True, key_share=True)
    )
    return is_recorded_as_erased(connection, sp_id)


def note_late_data(connection: Connection, order: Order) -> bool:
    """Whether a write of this order must be without its customer's data, because they were erased.

    If the write has them, something outside the records still has them, too. Then the erasure is marked as undone.
    """
    if not is_recorded_as_erased(connection, order.sp_id):
        return False
    if not is_erased(order):
        connection.execute(
            update(erasures).where(erasures.c.sp_id == order.sp_id).values(done_at=None)
        )
    return True


def erase_rows(connection: Connection, sp_id: str, by: str, at: datetime) -> None:
    """Erase the customer's data of an order in all tables, and record who asked for it."""
    document, pinned = connection.execute(
        select(documents.c.document, documents.c.pinned).where(documents.c.sp_id == sp_id)
    ).one()
    order = erase_order(order_of(document, pinned))
    connection.execute(insert(erasures).values(sp_id=sp_id, at=at, by=by))
    connection.execute(update(orders).where(orders.c.sp_id == sp_id).values(**order_row(order)))
    connection.execute(
        update(documents).where(documents.c.sp_id == sp_id).values(**document_row(order))
    )
    events = events_after(connection, sp_id, 0)
    for old, new in zip(events, erase_events(events), strict=True):
        if new.event != old.event:
            connection.execute(
                update(timeline)
                .where(timeline.c.sp_id == sp_id, timeline.c.seq == new.seq)
                .values(data=event_row(sp_id, new)["data"])
            )
    # Kept answers to calls about the order contain its data. Without the answer, the order refuses a repeated call.
    # An earlier release keeps answers that can be read, without `about`.
    readable = idempotency.c.response.contains(f'"{sp_id}"', autoescape=True)
    connection.execute(
        delete(idempotency).where(or_(idempotency.c.about == f"order/{sp_id}", readable))
    )
    erase_messages(connection, sp_id)
    delete_customer_rows(connection, sp_id)
    for table in (order_photos, execution_protocols):
        connection.execute(delete(table).where(table.c.sp_id == sp_id))
    connection.execute(update(mails).where(mails.c.about == sp_id).values(last_error=None))
    erase_texts_of_settlements(connection, sp_id)
    delete_events(connection, sp_id)
    delete_person_mails(connection, sp_id)
    # The customer's address.
    connection.execute(
        update(mails)
        .where(mails.c.about == sp_id, mails.c.audience == "customer")
        .values(recipient=ERASED)
    )
