"""The world around an order, for tests of its workflow: what was sent, and switches that break it."""

from temporalio import activity

from activities.calendars import CalendarActivities
from contracts import activities as names
from contracts.activities import Snapshot
from domain.orders.events import Recorded
from domain.orders.outgoing import Mail, ShippingRequest, ShippingStop, ShopNotice
from domain.policy import Policy

CALENDARS = CalendarActivities(Policy())


class Outside:
    """Stands where mail server, warehouse and database are; `down` holds the names of activities that fail."""

    def __init__(self) -> None:
        self.down: set[str] = set()
        self.attempts: dict[str, int] = {}
        self.mails: list[Mail] = []
        self.requests: list[ShippingRequest] = []
        self.stops: list[ShippingStop] = []
        self.notices: list[ShopNotice] = []
        self.versions: list[int] = []
        self.timeline: dict[str, dict[int, Recorded]] = {}

    @property
    def activities(self) -> list[object]:
        """To be given to a worker."""
        return [
            self.send_mail,
            self.request_shipping,
            self.stop_shipping,
            self.notify_shop,
            self.save_order,
            CALENDARS.pin_calendar,
        ]

    def kinds(self, audience: str | None = None) -> list[str]:
        """The kinds of the mails sent, in order, to one audience or to all."""
        return [m.kind for m in self.mails if audience in (None, m.audience)]

    def _try(self, name: str) -> None:
        self.attempts[name] = self.attempts.get(name, 0) + 1
        if name in self.down:
            raise ConnectionError(f"{name} is down")

    @activity.defn(name=names.SEND_MAIL)
    async def send_mail(self, mail: Mail) -> None:
        self._try(names.SEND_MAIL)
        self.mails.append(mail)

    @activity.defn(name=names.REQUEST_SHIPPING)
    async def request_shipping(self, request: ShippingRequest) -> None:
        self._try(names.REQUEST_SHIPPING)
        self.requests.append(request)

    @activity.defn(name=names.STOP_SHIPPING)
    async def stop_shipping(self, stop: ShippingStop) -> None:
        self._try(names.STOP_SHIPPING)
        self.stops.append(stop)

    @activity.defn(name=names.NOTIFY_SHOP)
    async def notify_shop(self, notice: ShopNotice) -> None:
        self._try(names.NOTIFY_SHOP)
        self.notices.append(notice)

    @activity.defn(name=names.SAVE_ORDER)
    async def save_order(self, snapshot: Snapshot) -> int:
        self._try(names.SAVE_ORDER)
        self.versions.append(snapshot.order.version)
        known = self.timeline.setdefault(snapshot.order.sp_id, {})
        known.update({e.seq: e for e in snapshot.events})
        return snapshot.order.version
