"""The Sent folder of an account: which of some mails are in it. Only looked at, never changed.

Gmail and Microsoft 365 file a copy of what they accept over SMTP; many other servers can be told to.
A copy proves that the mail was accepted. That there is none proves nothing by itself: only where the folder
has copies of other mails that were surely accepted.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from imaplib import IMAP4
from itertools import chain
from typing import Any

from imap_tools import AND, H
from imap_tools.imap_utf7 import utf7_decode

from accounts.imap import Mailbox, open_mailbox
from accounts.models import SmtpAccount

# What holds a name of the Sent folder: nothing, or one of these.
PARENTS = {(), ("inbox",), ("[gmail]",), ("[google mail]",)}
# As servers and the common mail programs name it: Dovecot, Microsoft 365, Apple; then translations.
NAMES = {
    "sent", "sent mail", "sent items", "sent messages", "sent objects", "outbox.sent",
    "gesendet", "gesendete elemente", "gesendete objekte", "gesendete nachrichten",
    "envoyés", "messages envoyés", "éléments envoyés", "courrier envoyé",
    "enviados", "elementos enviados", "mensajes enviados", "correo enviado", "itens enviados",
    "e-mails enviados",
    "inviata", "posta inviata", "elementi inviati", "messaggi inviati",
    "verzonden", "verzonden items", "verzonden berichten",
    "wysłane", "elementy wysłane", "odeslaná pošta", "odeslané", "skickat", "skickade objekt",
    "sendt", "sendte elementer", "sendt post", "lähetetyt", "elküldött", "elküldött elemek",
    "gönderilmiş postalar", "gönderilmiş öğeler", "отправленные", "надіслані", "送信済み", "送信済みメール",
    "已发送", "已发送邮件", "已發送郵件", "寄件備份", "보낸편지함",
}  # fmt: skip
MOST_COPIES = 20  # of one Message-ID that are looked at


class Found(Enum):
    """What a look says of a mail. UNPROVEN: it is not there, but nor are all that were surely accepted."""

    THERE = "there"
    MISSING = "missing"
    UNPROVEN = "unproven"


def find_folders(account: SmtpAccount, deadline: float) -> list[str]:
    """The names of the account's Sent folders, mostly one, within deadline seconds.

    Raises MailboxFailure when the mailbox can't be read, or has none.
    """
    with open_mailbox(account, deadline) as box:
        return _folders(box)


def look_for(
    account: SmtpAccount, message_ids: Iterable[str], deadline: float, accepted: Iterable[str] = ()
) -> Iterator[tuple[str, Found]]:
    """Yields each Message-ID (with its <>) and whether the account's Sent folder has it.

    accepted: Message-IDs of mails that the account's server surely accepted lately. One connection for all,
    at most deadline seconds. Raises MailboxFailure when the mailbox can't be read, or not any further; what
    was yielded until then is sure.
    """
    wanted, unclear = list(message_ids), {}
    with open_mailbox(account, deadline) as box:
        folders = _folders(box)
        for folder in folders:
            is_last = folder == folders[-1]
            if is_last and wanted:  # so that a mail that is in none is told at once, however many follow it
                not_there = Found.MISSING if _keeps_copies(box, folders, list(accepted)) else Found.UNPROVEN
            box.folder.set(folder, readonly=True)
            for message_id in tuple(wanted):
                try:
                    is_there = _has(box, message_id)
                except ValueError as error:  # of this mail alone nothing is known
                    unclear[message_id] = error
                    continue
                if is_there:
                    wanted.remove(message_id)
                    yield message_id, Found.THERE
                elif is_last and message_id not in unclear:
                    yield message_id, not_there
        for message_id in wanted:
            if message_id in unclear:
                raise unclear[message_id]


def _keeps_copies(box: Mailbox, folders: list[str], accepted: list[str]) -> bool:
    """Whether all of these mails are in these folders, of which there has to be one."""
    left = set(accepted)
    for folder in folders:
        box.folder.set(folder, readonly=True)
        left -= {message_id for message_id in left if _has_surely(box, message_id)}
    return bool(accepted) and not left


def _has_surely(box: Mailbox, message_id: str) -> bool:
    try:
        return _has(box, message_id)
    except ValueError:  # something is found that can't be told from it
        return False


@dataclass(frozen=True)
class _Folder:
    name: str
    flags: frozenset[str]  # in small letters
    delimiter: str  # "" where there is no hierarchy

    @property
    def is_marked(self) -> bool:
        """RFC 6154: the special use says it whatever the name. A server may keep it from a plain LIST."""
        return r"\sent" in self.flags

    @property
    def is_named(self) -> bool:
        name = self.name.casefold()
        *parents, leaf = name.split(self.delimiter) if self.delimiter else [name]
        return leaf in NAMES and tuple(parents) in PARENTS


def _folders(box: Mailbox) -> list[str]:
    """Those that are marked, then those that are named so: nobody says which of them the copies go to."""
    folders = _read(*box.client.list())
    if not any(folder.is_marked for folder in folders):
        folders = _listed_with_special_use(box) or folders
    folders = [folder for folder in folders if not {r"\noselect", r"\nonexistent"} & folder.flags]
    marked = [folder.name for folder in folders if folder.is_marked]
    if _is_gmail(box):
        # Its copies are nowhere else. A person may have hidden "Sent Mail", and have a label named "Sent".
        found = marked or [folder.name for folder in folders if r"\all" in folder.flags]
    else:
        found = marked + [folder.name for folder in folders if folder.is_named and not folder.is_marked]
    if not found:
        raise ValueError("no Sent folder")
    return found


def _listed_with_special_use(box: Mailbox) -> list[_Folder]:
    """All folders, once more: some servers tell the special use to who asks for it (RFC 6154 section 2)."""
    said = " ".join(map(str, box.client.capability()[1])).upper()  # after the log-in it may be another one
    if not ("LIST-EXTENDED" in said and "SPECIAL-USE" in said):
        return []
    try:
        status, _ = box.client.xatom("LIST", '""', '"*"', "RETURN (SPECIAL-USE)")
    except IMAP4.error:  # BAD: it is not as good as its word, and the plain list stands
        return []
    lines = box.client.response("LIST")[1]
    return _read(status, lines) if status == "OK" else []


# RFC 3501 section 7.2.2: "(flags) delimiter name".
LISTED = re.compile(
    rb'\((?P<flags>[^)]*)\) (?P<delimiter>NIL|"(?:\\.|[^"\\])"|"") (?P<name>.+)', re.DOTALL | re.I
)


def _read(status: str, lines: list[Any]) -> list[_Folder]:
    """All folders that LIST told. One whose name can't be read is left out; ValueError where it is marked."""
    if status != "OK":
        raise ValueError("the folders are not listed")
    found = []
    for line in filter(None, lines):
        head, literal = line if isinstance(line, tuple) else (line, None)
        if not (said := LISTED.match(head)):
            if rb"\sent" in head.lower():
                raise ValueError("the Sent folder's name can't be read")
            continue
        flags = frozenset(said["flags"].decode("ascii", "replace").lower().split())
        delimiter = "" if said["delimiter"].upper() == b"NIL" else _unquoted(said["delimiter"]).decode()
        try:
            name = utf7_decode(_unquoted(said["name"]) if literal is None else literal)
        except ValueError:
            if r"\sent" in flags:
                raise
            continue
        found.append(_Folder(name, flags, delimiter))
    return found


def _unquoted(text: bytes) -> bytes:
    return re.sub(rb"\\(.)", rb"\1", text[1:-1]) if text.startswith(b'"') else text


def _has(box: Mailbox, message_id: str) -> bool:
    if _is_there(box, "Message-ID", message_id):
        return True
    # Gmail keeps a Message-ID that it does not like under this name.
    return _is_gmail(box) and _is_there(box, "X-Google-Original-Message-ID", message_id)


def _is_gmail(box: Mailbox) -> bool:
    return "X-GM-EXT-1" in box.client.capabilities  # https://developers.google.com/gmail/imap/imap-extensions


def _is_there(box: Mailbox, header: str, message_id: str) -> bool:
    """Searches, then compares: IMAP finds a header that only contains the text, in any case.

    Raises ValueError where hits were not all compared: then nobody knows that it is not there.
    """
    if not (message_id.isascii() and message_id.isprintable()):
        return False  # never sent: a Message-ID is made of ASCII
    hits = _search(box, str(AND(header=H(header, message_id))))
    newest = hits[-MOST_COPIES:]
    found = box.fetch(uid_list=newest, mark_seen=False, headers_only=True, bulk=True) if newest else ()
    shown = {message.uid: message.headers.get(header.lower(), ()) for message in found}
    values = [shown.get(uid, ()) for uid in newest]
    if any(re.sub(r"\s", "", value) == message_id for value in chain(*values)):
        return True
    if sum(map(bool, values)) < len(hits):
        raise ValueError("the search finds what can't be told from the mail")
    return False


def _search(box: Mailbox, criteria: str) -> list[str]:
    """The UIDs that a server finds, on however many lines it tells them. Raises ValueError where it tells
    none: that there are no hits is a line, too (RFC 3501 section 6.4.4)."""
    status, lines = box.client.uid("SEARCH", criteria)
    if status != "OK" or not lines or not all(isinstance(line, bytes) for line in lines):
        raise ValueError("the search has no answer")
    return b" ".join(lines).decode("ascii").split()
