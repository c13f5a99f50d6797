"""A bad day for operations, made in the records: late orders, reviews, mails that do not arrive, findings."""

from datetime import UTC, datetime, timedelta

from contracts.activities import Snapshot
from domain.orders.commands import ConfirmExecution, ReportNotExecuted
from records.findings import Findings, Seen
from records.login_attempts import Limit, LoginAttempts
from records.mails import MailLog
from records.partners import Partner
from tests.support import builders
from tests.support.builders import Step
from tests.web.site import Site

LATE, TRUSTY = "spaet-montage", "puenktlich-service"
NAMES = {LATE: "Spät & Söhne <Montage>", TRUSTY: "Pünktlich Service GmbH"}
NOTE = 'Niemand da. <b onclick="x()">Bitte</b> "neuer" Termin'
WEEK = timedelta(days=7)
REPORTED: tuple[Step, ...] = (
    *builders.AGREED,
    timedelta(days=2, hours=4),
    ReportNotExecuted(reason="customer_absent", note=NOTE),
)
# Of each partner's kinds of lives how many, and how many days ago they began.
LIVES: tuple[tuple[str, str, int, int, tuple[Step, ...]], ...] = (
    ("S-NEW", LATE, 7, 12, (*builders.TRANSMITTED, timedelta(days=12))),
    ("S-CHECK", LATE, 2, 20, (*builders.ACCEPTED, timedelta(days=20))),
    ("S-REVIEW", LATE, 2, 10, REPORTED),
    ("S-SENT", LATE, 1, 2, ()),
    ("S-GOODS", TRUSTY, 1, 40, (*builders.REQUIREMENTS_MET, timedelta(days=40))),
    ("S-DONE", TRUSTY, 30, 10, (*builders.AGREED, timedelta(days=2, hours=4), ConfirmExecution())),
)


def partner(partner_id: str) -> Partner:
    """One of the two partners."""
    return Partner(
        partner_id=partner_id,
        name=NAMES.get(partner_id, partner_id),
        canton="ZH",
        language="de",
        email=f"auftraege@{partner_id}.example",
        phone="+41 44 555 01 99",
        street="Hohlstrasse 100",
        postal_code="8004",
        city="Zürich",
    )


async def bad_day(site: Site) -> None:
    """Create the data once in a process. Its partners are in no other test."""
    around, now = site.around, datetime.now(UTC)
    accounts = site.app.state.accounts
    if any(each.partner_id == LATE for each in await accounts.partners.list()):
        return
    for partner_id in (LATE, TRUSTY):
        await accounts.partners.add(partner(partner_id))
    for name, partner_id, count, days, steps in LIVES:
        begin = (now - timedelta(days=days)).replace(hour=7, minute=0, second=0, microsecond=0)
        shifted = tuple(_shifted(step, begin - builders.MONDAY) for step in steps)
        for number in range(count):
            order, events = builders.lived(
                *shifted, at=begin, sp_id=f"{name}-{number}", partner_id=partner_id
            )
            await around.orders.save(Snapshot(order=order, events=events))
    mails = MailLog(around.database)
    for number, (about, hours, ends) in enumerate(
        (("S-NEW-0", 130, True), ("S-NEW-1", 3, False), ("V202610-7KQ4MXBP", 4, False))
    ):
        key = f"staffed-{number}"
        tried = now - timedelta(hours=hours)
        await mails.begin(key, about, "reminder", "partner", "weg@example.ch", f"<{key}@x>", tried)
        await mails.failed(key, "answered 550 <no such user>", refused=True)
        if ends:
            await mails.given_up(key)
    findings = Findings(around.database)
    lost = [Seen("S-NEW-2", "terminated", "run-1"), Seen("V202610-7KQ4MXBP", "missing", "")]
    await findings.keep(lost, now - timedelta(minutes=20))
    limit = Limit(0, WEEK, WEEK, WEEK)
    await LoginAttempts(around.database).charge({"account:somebody": limit}, now)


def _shifted(step: Step, by: timedelta) -> Step:
    """An appointment at the same distance from another beginning."""
    if isinstance(step, timedelta | tuple) or not hasattr(step, "start"):
        return step
    return step.model_copy(update={"start": step.start + by, "end": step.end + by})
