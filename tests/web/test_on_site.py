"""Photos and execution protocols over HTTP: who adds and sees them, repetition, limits, what a protocol requires."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from PIL import Image
from pypdf import PdfReader
from sqlalchemy import insert, select

from domain.orders.photos import LARGEST
from records.tables import order_photos
from tests.server.surroundings import eventually
from tests.support.pictures import PLACE, bomb, photo
from tests.web.begun import agreed_steps, begun
from tests.web.site import API, Site

pytestmark = pytest.mark.asyncio(loop_scope="session")

ITEMS = ("level", "connected", "tested", "explained", "undamaged", "packaging", "clean")
STROKES = [[[100, 100], [300, 200], [500, 100]], [[520, 300], [640, 310]]]


async def add(
    caller: httpx.AsyncClient, sp_id: str, content: bytes, key: str | None = None, **form: str
) -> httpx.Response:
    """A photo."""
    headers = {"Idempotency-Key": key} if key else {}
    files = {"photo": ("IMG_1.jpg", content, "image/jpeg")}
    return await caller.post(
        f"{API}/orders/{sp_id}/photos", files=files, data=form, headers=headers
    )


async def kept_again(cmi: Site, sp_id: str, photo_id: str, times: int) -> None:
    """The records hold more photos, each with the content of this one. To read a photo takes a process."""
    async with cmi.around.database.writing() as connection:
        found = select(order_photos).where(order_photos.c.photo_id == photo_id)
        row = (await connection.execute(found)).one()._asdict()
        for number in range(times):
            other = {"photo_id": f"{photo_id}{number}", "sha256": f"{number:064}"}
            await connection.execute(insert(order_photos).values(**row | other))


def protocol(**changes: Any) -> dict[str, Any]:
    """A protocol of a dryer, of this moment."""
    now = datetime.now(UTC).replace(microsecond=0)
    return {
        "checklist": dict.fromkeys(ITEMS, "done"),
        "begun": (now - timedelta(seconds=1)).isoformat(),
        "ended": now.isoformat(),
        "ending": "signed",
        "signer": "Regula Müller",
        "strokes": STROKES,
        **changes,
    }


async def recorded(caller: httpx.AsyncClient, sp_id: str) -> dict[str, Any]:
    """What the caller sees."""
    answer = await caller.get(f"{API}/orders/{sp_id}/on-site")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def to_execute(cmi: Site) -> str:
    """An order whose service needs a protocol, at the step of the execution. It was placed two hours ago."""
    return await begun(cmi, *agreed_steps(), code="install-dryer", name="Regula Müller")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def to_write(cmi: Site) -> AsyncIterator[str]:
    """An order of which a protocol can be written."""
    yield await to_execute(cmi)


async def test_a_photo_is_kept_small_upright_and_without_where_it_was_taken(cmi: Site) -> None:
    sp_id = await cmi.new()
    sent = photo(size=(3000, 1500))
    assert PLACE.encode() in sent
    first = await add(cmi.partner, sp_id, sent)
    assert first.status_code == 201, first.text
    about = first.json()
    assert (about["width"], about["height"]) == (1024, 2048)
    again = await add(cmi.partner, sp_id, sent, "again")
    assert (again.status_code, again.json()["photo_id"]) == (200, about["photo_id"])

    path = f"{API}/orders/{sp_id}/photos/{about['photo_id']}"
    got = await cmi.operations.get(path)
    assert hashlib.sha256(got.content).hexdigest() == about["sha256"]
    assert got.headers["Content-Type"] == "image/jpeg"
    assert got.headers["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in got.headers["Content-Security-Policy"]
    kept = Image.open(io.BytesIO(got.content))
    assert (dict(kept.getexif()), PLACE.encode() in got.content) == ({}, False)
    top, bottom = kept.getpixel((500, 100)), kept.getpixel((500, 1900))
    assert isinstance(top, tuple)
    assert isinstance(bottom, tuple)
    assert top[0] > 180 > bottom[0], "what was left is above, since the camera lay on its side"
    small = await cmi.partner.get(path, params={"small": "true"})
    assert max(Image.open(io.BytesIO(small.content)).size) == 480

    for caller in (cmi.stranger, cmi.partner):
        status = 404 if caller is cmi.stranger else 200
        assert (await caller.get(path)).status_code == status
        assert (await caller.get(f"{API}/orders/{sp_id}/on-site")).status_code == status
    assert (await cmi.accounting.get(path)).status_code == 403
    gone = await cmi.partner.delete(path)
    assert (gone.status_code, gone.json()["photos"]) == (200, [])
    assert (await cmi.partner.get(path)).status_code == 404


async def test_ten_photos_also_if_they_come_at_once(
    cmi: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("use_cases.confined_work.TURN_SECONDS", 300)  # they are read one by one
    sp_id = await cmi.new()
    first = await add(cmi.partner, sp_id, photo(0, (60, 40)))
    await kept_again(cmi, sp_id, first.json()["photo_id"], 7)
    sent = await asyncio.gather(
        *(add(cmi.partner, sp_id, photo(number, (60, 40))) for number in range(1, 5))
    )
    assert sorted(each.status_code for each in sent) == [201, 201, 422, 422]
    (refused,) = {each.text for each in sent if each.status_code == 422}
    assert '"field":"photo"' in refused
    assert len((await recorded(cmi.partner, sp_id))["photos"]) == 10


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff\xd8\xff\xe0" + b"x" * LARGEST, "10 MB"),
        (b"GIF89a" + b"\0" * 100, "JPEG, PNG oder WebP"),
        (photo()[:900], "JPEG, PNG oder WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "JPEG, PNG oder WebP"),
        (b"\0\0\0\x18ftypheic" + b"\0" * 100, "HEIC"),
        (None, "64 Millionen"),  # a bomb
    ],
    ids=["large", "gif", "cut", "svg", "heic", "bomb"],
)
async def test_what_is_no_photo_is_refused(
    cmi: Site, to_write: str, content: bytes | None, said: str
) -> None:
    # To make a bomb takes time, so it is not made while the tests are collected.
    answer = await add(cmi.partner, to_write, bomb() if content is None else content)
    assert answer.status_code == 422
    (error,) = answer.json()["errors"]
    assert error["field"] == "photo"
    assert said in error["message"]
    assert (await recorded(cmi.operations, to_write))["photos"] == []


async def test_without_a_protocol_that_is_required_a_partner_does_not_confirm(cmi: Site) -> None:
    sp_id = await to_execute(cmi)
    assert (await recorded(cmi.partner, sp_id))["protocol_required"] is True
    done = {"executed": True, "early": True}
    refused = await cmi.post(cmi.partner, sp_id, "execution", done)
    assert refused.status_code == 422
    (error,) = refused.json()["errors"]
    assert (error["field"], "Ausführungsprotokoll" in error["message"]) == ("protocol", True)
    picture = (await add(cmi.partner, sp_id, photo())).json()

    keyed = {"Idempotency_Key": "protocol-1"}
    first = await cmi.post(cmi.partner, sp_id, "protocol", body := protocol(), **keyed)
    assert first.status_code == 201, first.text
    again = await cmi.post(cmi.partner, sp_id, "protocol", body, **keyed)
    assert again.json() == first.json()
    other = await cmi.post(cmi.partner, sp_id, "protocol", protocol(remarks="x"), **keyed)
    assert other.status_code == 422
    second = await cmi.post(
        cmi.partner,
        sp_id,
        "protocol",
        protocol(ending="absent", reason="Schlüssel beim Hauswart", signer="", strokes=[]),
    )
    assert (second.status_code, second.json()["version"]) == (201, 2)
    kept = (await recorded(cmi.operations, sp_id))["protocols"]
    assert [each["version"] for each in kept] == [2, 1], "the earlier one is kept"
    assert kept[1] == first.json()
    assert first.json()["photos"] == [picture["photo_id"]]
    fixed = await cmi.partner.delete(f"{API}/orders/{sp_id}/photos/{picture['photo_id']}")
    assert (fixed.status_code, fixed.json()["code"]) == (409, "in_protocol")

    confirmed = await cmi.do(cmi.partner, sp_id, "execution", done)
    assert confirmed["status"] == "completed"


async def test_operations_confirm_without_a_protocol(cmi: Site) -> None:
    sp_id = await to_execute(cmi)
    done = {"executed": True, "early": True}
    assert (await cmi.do(cmi.operations, sp_id, "execution", done))["status"] == "completed"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"checklist": dict.fromkeys(ITEMS[1:], "done")}, "checklist.level"),
        ({"checklist": dict.fromkeys((*ITEMS, "wall"), "done")}, "checklist.wall"),
        ({"strokes": [[[5, 5], [6, 6]]]}, "strokes"),
        ({"signer": ""}, "signer"),
        ({"ending": "refused", "signer": "", "strokes": []}, "reason"),
        ({"ending": "refused", "reason": "x"}, "ending"),
        ({"signature_photo": "photo_0", "strokes": []}, "signature_photo"),
        ({"begun": "2020-01-01T08:00:00Z", "ended": "2020-01-01T09:00:00Z"}, "begun"),
        ({"ended": "2090-01-01T09:00:00Z"}, "ended"),
        ({"strokes": [[[5, 5], [1001, 6]]]}, "strokes.0.1.0"),
    ],
    ids=lambda value: value if isinstance(value, str) else "of",
)
async def test_a_protocol_that_is_not_whole_names_the_field(
    cmi: Site, to_write: str, changes: dict[str, Any], field: str
) -> None:
    answer = await cmi.post(cmi.partner, to_write, "protocol", protocol(**changes))
    assert answer.status_code == 422, answer.text
    assert [each["field"] for each in answer.json()["errors"]] == [field]


async def test_the_pdf_is_in_the_language_of_the_customer(cmi: Site) -> None:
    sp_id = await cmi.new(code="install-dryer", language="fr", name="Amélie Dupont")
    assert (await cmi.post(cmi.partner, sp_id, "protocol", protocol())).json()["code"] == "not_yet"
    await cmi.brought(sp_id, "confirm_execution")
    paper = (await add(cmi.partner, sp_id, photo(), kind="signature")).json()
    await add(cmi.partner, sp_id, photo(1))
    body = protocol(strokes=[], signature_photo=paper["photo_id"], remarks="Tout va bien")
    written = await cmi.post(cmi.partner, sp_id, "protocol", body)
    assert written.status_code == 201, written.text
    path = f"{API}/orders/{sp_id}/protocol.pdf"
    got, again = await cmi.partner.get(path), await cmi.operations.get(path)
    assert (got.status_code, got.content) == (200, again.content)
    assert got.headers["Content-Disposition"].startswith("attachment")
    text = " ".join(page.extract_text() for page in PdfReader(io.BytesIO(got.content)).pages)
    for expected in (sp_id, "Amélie Dupont", "Langstrasse 12", "Elektro Huber", "Tout va bien"):
        assert expected in text
    assert written.json()["sha256"] in text.replace(" ", "")
    assert "Rapport d’intervention" in text
    pages = PdfReader(io.BytesIO(got.content)).pages
    assert len({image.data for page in pages for image in page.images}) == 2
    assert (await cmi.stranger.get(path)).status_code == 404


async def test_the_next_partner_does_not_see_what_the_former_one_recorded(cmi: Site) -> None:
    sp_id = await to_execute(cmi)
    kept = (await add(cmi.partner, sp_id, photo())).json()
    assert (await cmi.post(cmi.partner, sp_id, "protocol", protocol())).status_code == 201
    new = {"partner_id": "luzern-montage", "reason": "Ferien"}
    await cmi.do(cmi.operations, sp_id, "reassign", new)
    path = f"{API}/orders/{sp_id}/photos/{kept['photo_id']}"
    assert (await cmi.partner.get(path)).status_code == 404
    assert (await add(cmi.partner, sp_id, photo(1))).status_code == 404

    async def seen() -> dict[str, Any] | None:
        answer = await cmi.stranger.get(f"{API}/orders/{sp_id}/on-site")
        found: dict[str, Any] = answer.json()
        return found if answer.status_code == 200 else None

    found = await eventually(seen)
    assert (found["photos"], found["protocols"]) == ([], [])
    assert (await cmi.stranger.get(path)).status_code == 404
    assert (await cmi.stranger.get(f"{API}/orders/{sp_id}/protocol.pdf")).status_code == 404
    assert (await cmi.operations.get(path)).status_code == 200
    assert len((await recorded(cmi.operations, sp_id))["protocols"]) == 1
