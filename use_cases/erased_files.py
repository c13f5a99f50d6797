"""Deletes the files that hold customers' data of erased orders: requests to the warehouse, mails on this machine."""

import json
import re
from collections.abc import Collection
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import NamedTuple


class Folders(NamedTuple):
    """Where CMI writes requests to the warehouse, and where a mail server of this machine keeps mails, if one does."""

    warehouse: Path
    mail: Path | None


def delete_requests(folder: Path, sp_ids: Collection[str]) -> None:
    """Delete the warehouse's files of these orders. Other files, and those that are not JSON, stay."""
    if not folder.is_dir():
        return
    for path in folder.glob("*.json"):
        try:
            body = json.loads(path.read_bytes())
        except (ValueError, FileNotFoundError):
            continue
        if isinstance(body, dict) and body.get("sp_id") in sp_ids:
            path.unlink(missing_ok=True)


def delete_mails(folder: Path, ids: Collection[str]) -> None:
    """Delete the mails (`*.eml`) whose subject or text names one of these orders or settlements."""
    if not ids or not folder.is_dir():
        return
    named = re.compile(rf"(?<![\w-])(?:{'|'.join(map(re.escape, ids))})(?![\w-])")
    for path in folder.glob("*.eml"):
        try:
            mail = message_from_bytes(path.read_bytes(), policy=policy.default)
        except FileNotFoundError:
            continue
        if isinstance(mail, EmailMessage) and named.search(_text_of(mail)):
            path.unlink(missing_ok=True)


def _text_of(mail: EmailMessage) -> str:
    parts = [str(mail["Subject"] or "")]
    for part in mail.walk():
        if part.get_content_maintype() == "text":
            raw = part.get_payload(decode=True)
            parts.append(raw.decode("utf-8", "replace") if isinstance(raw, bytes) else "")
    return "\n".join(parts)
