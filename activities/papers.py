"""Makes statements, invoices and their drafts, and checks invoices, in confined processes and on a separate task queue.

A statement is made once and stored permanently, with the JSON of its inputs (docs/documents.md).
"""

from collections.abc import Coroutine
from datetime import date, timedelta
from email.utils import parseaddr
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.failures import without_contents
from contracts import activities, names
from contracts.activities import InvoiceToCheck, InvoiceToMake, SettlementOf, StatementWanted
from documents.confined import ConfinedError
from domain.settlements.erasure import hide_reasons
from domain.settlements.invoicing import Problem, Verdict
from domain.settlements.settlement import Statement
from invoices.check import check_invoice, expected_of
from invoices.draft import invoice_confined, takes_reference
from invoices.scanner import ScannerAway, scan
from records.invoice_numbers import InvoiceNumbers
from records.papers import (
    Limit,
    Paper,
    PaperKind,
    Papers,
    TooManyPapers,
    draft_id,
    invoice_id,
    statement_csv_id,
    statement_id,
)
from records.partners import Partners
from records.settlements import Settlements, StoredSettlement
from settings import Settings
from statements.attachments import statement_csv
from statements.data import Accounting, Document, InvoiceData, Letterhead, StatementData
from statements.render_process import render_confined
from use_cases.papers import UPLOADS
from words.translations import mark, say

QUICK_ATTEMPTS = 3
"""After this many attempts a statement is retried only every hour, and a draft is given up."""
AGAIN = timedelta(hours=1)
_REASON = mark("Korrektur; den Grund zeigt die Verrechnung im CMI")


class PaperActivities:
    """The activities of papers. `settings` has the accounting to which invoices are addressed."""

    def __init__(
        self,
        settings: Settings,
        settlements: Settlements,
        partners: Partners,
        papers: Papers,
        numbers: InvoiceNumbers,
    ) -> None:
        self._accounting = Accounting(
            company=settings.company_name,
            department=settings.company_department,
            street=settings.company_street,
            postal_code=settings.company_postal_code,
            city=settings.company_city,
            email=parseaddr(settings.mail_accounting)[1],
        )
        self._clamd = settings.clamd
        self._settlements = settlements
        self._partners = partners
        self._papers = papers
        self._numbers = numbers

    @activity.defn(name=activities.MAKE_STATEMENT)
    async def make_statement(self, wanted: StatementWanted) -> Statement:
        """Make and store a settlement's statement and its CSV, unless they are stored already."""
        of = wanted.settlement
        number = of.settlement_id
        with without_contents(f"statement of {number}"):
            kept = await self._papers.get(statement_id(number))
            if kept is None:
                kept = await self._make_statement(number, wanted)
            account = StatementData.model_validate_json(kept.inputs).settlement
            assert kept.pages is not None
            return Statement(
                paper_id=kept.paper_id,
                sha256=kept.sha256,
                template_version=kept.template_version,
                input_checksum=kept.input_checksum,
                pages=kept.pages,
                net=account.net,
                vat=account.vat,
                total=account.total,
                rules=account.rules,
            )

    async def _make_statement(self, number: str, wanted: StatementWanted) -> Paper:
        stored = await self._settlement(number, wanted.version)
        fees = stored.settlement.fees
        if fees is not None and (
            sum(line.fee for line in stored.account.lines) != fees
            or await self._settlements.lines.count_unconfirmed(number)
        ):
            raise ApplicationError(
                f"the recorded lines of {number} do not add up to the net that its orders confirmed",
                type="LinesDiffer",
                next_retry_delay=AGAIN,
            )
        data = await self._data(stored, wanted.created)
        made = await _made(render_confined(data))
        at = activity.info().started_time
        await self._papers.keep(
            Paper.of(
                statement_csv(data),
                paper_id=statement_csv_id(number),
                settlement_id=number,
                kind="statement_csv",
                name=f"{number}.csv",
                input_checksum=made.input_checksum,
                created_at=at,
            )
        )
        return await self._keep(statement_id(number), "statement", f"{number}.pdf", data, made)

    @activity.defn(name=activities.MAKE_DRAFT)
    async def make_draft(self, of: SettlementOf) -> str:
        """Make a draft of the partner's invoice, with today's date and current data. Returns its paper id."""
        number = of.settlement_id
        with without_contents(f"draft of {number}"):
            stored = await self._issued(number)
            calendar = stored.settlement.opening.calendar
            today = calendar.local(activity.info().started_time).date()
            data = await self._data(stored, today)
            paper_id = draft_id(number, data.checksum)
            if await self._papers.get(paper_id) is None:
                draft = InvoiceData.model_validate(data.model_dump())
                made = await _made(invoice_confined(draft), give_up=True)
                await self._keep(paper_id, "draft", f"{number}-draft.pdf", data, made)
            return paper_id

    @activity.defn(name=activities.MAKE_INVOICE)
    async def make_invoice(self, wanted: InvoiceToMake) -> str:
        """Make and store the partner's invoice with its own number and date. Returns its paper id. Idempotent.

        The number is the settlement's from then on. Not retried: the partner has used the number for another
        settlement, its IBAN cannot be used, or the settlement has too many invoices.
        """
        of, invoice = wanted.settlement, wanted.invoice
        number = of.settlement_id
        with without_contents(f"invoice of {number}"):
            stored = await self._issued(number)
            base = await self._data(stored, invoice.date)
            if not takes_reference(base.partner.iban):
                raise _refused(names.NO_IBAN, f"{of.partner_id} has no IBAN for an invoice")
            at = activity.info().started_time
            holder = await self._numbers.reserve(of.partner_id, invoice.number, number, at)
            if holder != number:
                raise _refused(names.NUMBER_USED, f"the number of this invoice is that of {holder}")
            data = InvoiceData.model_validate(
                {**base.model_dump(), "invoice_number": invoice.number}
            )
            made = await _made(invoice_confined(data), give_up=True)
            paper_id = invoice_id(number, made.sha256)
            try:
                await self._keep(paper_id, "invoice", f"{number}-invoice.pdf", data, made, UPLOADS)
            except TooManyPapers:
                raise _refused(names.TOO_MANY_PAPERS, f"{number} has too many invoices") from None
            return paper_id

    @activity.defn(name=activities.CHECK_INVOICE)
    async def check_invoice(self, wanted: InvoiceToCheck) -> Verdict:
        """Check an uploaded invoice against its settlement. An unreadable file is refused, too.

        It waits, by retries, for the virus scanner if there is one: no file passes without its answer.
        """
        of = wanted.settlement
        number = of.settlement_id
        with without_contents(f"invoice of {number}"):
            paper = await self._papers.get(wanted.paper_id)
            is_this = paper is not None and (paper.settlement_id, paper.kind) == (number, "invoice")
            if paper is None or not is_this or paper.deleted_at is not None:
                raise ApplicationError(
                    f"{number} has no invoice {wanted.paper_id}",
                    type="PaperUnknown",
                    non_retryable=True,
                )
            verdict = await self._verdict_on(of, paper)
            await self._papers.note_verdict(paper.paper_id, verdict.model_dump_json())
            return verdict

    async def _verdict_on(self, of: SettlementOf, paper: Paper) -> Verdict:
        stored = await self._issued(of.settlement_id)
        statement = stored.settlement.statement
        if statement is not None and statement.sha256 == paper.sha256:
            # The statement would pass the check, because it contains everything that an invoice must contain.
            return Verdict(accepted=False, problems=(Problem(code="statement"),))
        virus = await self._virus_in(paper.content)
        if virus is not None:
            return Verdict(accepted=False, problems=(virus,))
        partner = await self._partners.get(of.partner_id)
        iban = partner.iban if partner is not None else None
        expected = expected_of(stored.account, iban).model_copy(
            update={"may_be_draft": stored.settlement.rules < 2}
        )
        return await check_invoice(paper.content, expected)

    async def _virus_in(self, content: bytes) -> Problem | None:
        if self._clamd is None:
            return None
        try:
            return await scan(content, self._clamd)
        except ScannerAway as error:
            activity.logger.warning("the virus scanner is away: %s", error)
            raise ApplicationError(
                "the virus scanner is away",
                type="ScannerAway",
                category=ApplicationErrorCategory.BENIGN,
            ) from None

    # --- the data of a paper -------------------------------------------------------------------------------------

    async def _settlement(self, number: str, version: int = 0) -> StoredSettlement:
        stored = await self._settlements.get(number)
        if stored is None or stored.settlement.version < version:
            raise _not_recorded(f"{number} is not recorded yet")
        return stored

    async def _issued(self, number: str) -> StoredSettlement:
        stored = await self._settlement(number)
        if stored.settlement.statement is None:
            raise _not_recorded(f"{number} is not recorded as issued yet")
        return stored

    async def _data(self, stored: StoredSettlement, created: date) -> StatementData:
        opening = stored.settlement.opening
        partner = await self._partners.get(opening.partner.partner_id)
        if partner is None:
            raise ApplicationError(
                f"partner {opening.partner.partner_id} is not in the records", type="PartnerUnknown"
            )
        letterhead = partner.model_dump(include=set(Letterhead.model_fields))
        # Papers never change, and a reason may name a customer, whose data can be erased.
        see = say(opening.partner.language, _REASON)
        account = stored.account.model_copy(
            update={"corrections": hide_reasons(stored.account.corrections, see)}
        )
        return StatementData(
            settlement=account,
            partner=Letterhead.model_validate(letterhead),
            accounting=self._accounting,
            language=opening.partner.language,
            created=created,
        )

    async def _keep(
        self,
        paper_id: str,
        kind: PaperKind,
        name: str,
        data: StatementData,
        made: Document,
        limit: Limit | None = None,
    ) -> Paper:
        return await self._papers.keep(
            Paper(
                paper_id=paper_id,
                settlement_id=data.settlement.settlement_id,
                kind=kind,
                name=name,
                content=made.pdf,
                sha256=made.sha256,
                pages=made.pages,
                template_version=made.template_version,
                input_checksum=made.input_checksum,
                inputs=data.model_dump_json(),
                created_at=activity.info().started_time,
            ),
            limit,
        )


def _refused(type_: str, what: str) -> ApplicationError:
    return ApplicationError(
        what, type=type_, non_retryable=True, category=ApplicationErrorCategory.BENIGN
    )


def _not_recorded(what: str) -> ApplicationError:
    return ApplicationError(what, type="NotRecorded", category=ApplicationErrorCategory.BENIGN)


async def _made(work: Coroutine[Any, Any, Document], *, give_up: bool = False) -> Document:
    """The document, if its process makes it within its limits.

    If not, the activity is retried soon, because the machine may have been short of memory. After `QUICK_ATTEMPTS`
    attempts a human has to repair it: it is retried only after `AGAIN`, or given up (`give_up`).
    """
    try:
        return await work
    except ConfinedError as error:
        activity.logger.error("a document was not made: %s", error)
        lasting = activity.info().attempt >= QUICK_ATTEMPTS
        raise ApplicationError(
            f"the document was not made ({error.kind})",
            type="DocumentNotMade",
            non_retryable=lasting and give_up,
            next_retry_delay=AGAIN if lasting else None,
            category=ApplicationErrorCategory.BENIGN,
        ) from None
