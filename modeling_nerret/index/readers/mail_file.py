"""EML: a mail, its subject and body."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .html_file import html_fields

if TYPE_CHECKING:
    from email.message import EmailMessage

HEADERS = {"From": "author", "To": "to", "Cc": "cc", "Archived-At": "url"}


def mail_fields(data: bytes) -> dict[str, Any]:
    """Subject and body of a mail as its text; subject, sender, receivers, date and names of attachments as metadata.

    Raises:
        ValueError: it is no mail, or its body cannot be read.

    Example:
        >>> mail = mail_fields(b"From: Ada <ada@example.org>\\nSubject: Trip\\n\\nWe go to Graz.\\n")
        >>> mail["title"], mail["author"], mail["text"]
        ('Trip', 'Ada <ada@example.org>', 'Trip\\n\\nWe go to Graz.')
    """
    from email import message_from_bytes, policy

    mail: EmailMessage = message_from_bytes(data, policy=policy.default)
    if not any(name in mail for name in ("From", "Subject", "Date", "Received")):
        raise ValueError("it is no mail: it has no From, Subject or Date")
    values = {"title": _header(mail, "Subject")} | {field: _header(mail, name) for name, field in HEADERS.items()}
    values["date"] = _date(mail)
    fields: dict[str, Any] = {name: value for name, value in values.items() if value}
    names = [part.get_filename() or part.get_content_type() for part in mail.iter_attachments()]
    if names:
        fields["attachments"] = names
    parts = (fields.get("title", ""), _body(mail))
    return fields | {"text": "\n\n".join(part for part in parts if part)}


def _header(mail: EmailMessage, name: str) -> str:
    """A header; the library fails in many ways at damaged ones."""
    try:
        return " ".join(str(mail.get(name) or "").split())
    except Exception:
        return " ".join(str(dict(mail.raw_items()).get(name, "")).split())


def _date(mail: EmailMessage) -> str:
    from email.utils import parsedate_to_datetime

    text = _header(mail, "Date")
    try:
        return parsedate_to_datetime(text).isoformat()
    except (ValueError, TypeError):
        return text


def _body(mail: EmailMessage) -> str:
    part = mail.get_body(("plain", "html"))
    if part is None:
        return ""
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    charset = str(part.get_content_charset() or "")
    if part.get_content_type() == "text/html":
        return str(html_fields(data, charset)["text"])
    try:
        text = data.decode(charset or "utf-8")
    except LookupError:
        raise ValueError(f"the encoding {charset!r:.40} of its body is unknown") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"its body is not valid {charset or 'UTF-8'} at byte {error.start}") from None
    return text.replace("\r\n", "\n").strip()
