"""The mail server of `dev.py` keeps every mail, whole and in order."""

import asyncio
import errno
import os
import sys
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

import aiosmtplib
import pytest

from development.embedded import ROOT
from development.smtp_inbox import SmtpInbox


def message(subject: str) -> EmailMessage:
    written = EmailMessage()
    written["From"], written["To"], written["Subject"] = "a@x.example", "b@x.example", subject
    written.set_content("Grüezi\n.\n..Punkt\n")
    return written


async def send(inbox: SmtpInbox, subject: str) -> None:
    await aiosmtplib.send(message(subject), hostname="127.0.0.1", port=inbox.port)


def subjects(directory: Path) -> list[str]:
    files = sorted(directory.glob("*.eml"))
    return [message_from_bytes(f.read_bytes(), policy=default)["Subject"] for f in files]


async def test_mails_are_kept_in_the_order_of_their_arrival(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "mail"
    async with SmtpInbox(directory, 0) as inbox:
        for number in range(5):
            await send(inbox, str(number))
    async with SmtpInbox(directory, 0) as inbox:
        await send(inbox, "5")
    assert subjects(directory) == list("012345")
    kept = message_from_bytes(sorted(directory.iterdir())[0].read_bytes(), policy=default)
    assert isinstance(kept, EmailMessage)
    assert kept.get_content().replace("\r\n", "\n") == "Grüezi\n.\n..Punkt\n"
    assert all(path.suffix == ".eml" for path in directory.iterdir())


async def test_many_at_once_lose_none(tmp_path: Path) -> None:
    async with SmtpInbox(tmp_path, 0) as inbox:
        await asyncio.gather(*(send(inbox, str(number)) for number in range(40)))
    assert sorted(subjects(tmp_path), key=int) == [str(number) for number in range(40)]


async def test_a_mail_that_is_not_finished_is_not_kept(tmp_path: Path) -> None:
    async with SmtpInbox(tmp_path, 0) as inbox:
        _reader, writer = await asyncio.open_connection("127.0.0.1", inbox.port)
        writer.write(b"HELO x\r\nMAIL FROM:<a@x>\r\nRCPT TO:<b@x>\r\nDATA\r\nSubject: half\r\n")
        await writer.drain()
        writer.close()
        await send(inbox, "whole")
    assert subjects(tmp_path) == ["whole"]


async def test_it_stops_while_somebody_is_connected(tmp_path: Path) -> None:
    inbox = SmtpInbox(tmp_path, 0)
    await inbox.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", inbox.port)
    assert (await reader.readline()).startswith(b"220")
    await inbox.stop()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await reader.readexactly(1)
    writer.close()
    await inbox.stop()


async def test_a_port_that_is_taken(tmp_path: Path) -> None:
    async with SmtpInbox(tmp_path, 0) as inbox:
        with pytest.raises(OSError, match="in use"):
            await SmtpInbox(tmp_path, inbox.port).start()


async def refusal(inbox: SmtpInbox) -> tuple[int, str]:
    """How it answers a mail that it does not take."""
    with pytest.raises(aiosmtplib.SMTPDataError) as refused:
        await send(inbox, "later")
    return refused.value.code, refused.value.message


async def test_a_full_disk_is_a_reason_to_try_again_soon(tmp_path: Path) -> None:
    """The limit of a file's size stands for the disk; it holds for a process of its own."""
    code = f"""
import asyncio, pathlib, resource
from development.embedded import ROOT
from development.smtp_inbox import SmtpInbox

async def main():
    async with SmtpInbox(pathlib.Path({str(tmp_path)!r}), 0) as inbox:
        print(inbox.port, flush=True)
        await asyncio.sleep(600)

resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
asyncio.run(main())
"""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        inbox = SmtpInbox(tmp_path, int(await process.stdout.readline()))
        assert (await refusal(inbox))[0] == 452
        assert (await refusal(inbox))[0] == 452  # and it goes on
    finally:
        process.kill()
        await process.communicate()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 452), (errno.EIO, 451)])
async def test_what_the_disk_says_becomes_the_answer(
    number: int, code: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    async with SmtpInbox(tmp_path, 0) as inbox:
        with monkeypatch.context() as patched:
            patched.setattr("development.smtp_inbox.write_atomically", full)
            assert (await refusal(inbox))[0] == code
        await send(inbox, "now")
    assert subjects(tmp_path) == ["now"]
