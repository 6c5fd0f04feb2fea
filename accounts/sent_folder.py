"""The Sent folder of an account: which of some mails are in it. Only looked at, never changed.

Gmail and Microsoft 365 file a copy of what they accept over SMTP; many other servers can be told to.
A copy proves that the mail was accepted. That there is none proves nothing by itself.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

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


def find_folders(account: SmtpAccount, deadline: float) -> list[str]:
    """The names of the account's Sent folders, mostly one, within deadline seconds.

    Raises MailboxFailure when the mailbox can't be read, or has none.
    """
    with open_mailbox(account, deadline) as box:
        return _folders(box)


def look_for(account: SmtpAccount, message_ids: Iterable[str], deadline: float) -> Iterator[tuple[str, bool]]:
    """Yields each Message-ID (with its <>) and whether the account's Sent folder has it.

    One connection for all of them, at most deadline seconds. Raises MailboxFailure when the mailbox can't
    be read, or not any further; what was yielded until then is sure.
    """
    wanted = list(message_ids)
    with open_mailbox(account, deadline) as box:
        folders = _folders(box)
        for folder in folders:
            box.folder.set(folder, readonly=True)
            missing = []
            for message_id in wanted:
                is_there = _has(box, message_id)
                if is_there or folder == folders[-1]:
                    yield message_id, is_there
                else:
                    missing.append(message_id)
            wanted = missing


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
    folders = [folder for folder in _list(box) if not {r"\noselect", r"\nonexistent"} & folder.flags]
    marked = [folder.name for folder in folders if folder.is_marked]
    found = marked + [folder.name for folder in folders if folder.is_named and not folder.is_marked]
    if not found:
        raise ValueError("no Sent folder")
    return found


# RFC 3501 section 7.2.2: "(flags) delimiter name".
LISTED = re.compile(
    rb'\((?P<flags>[^)]*)\) (?P<delimiter>NIL|"(?:\\.|[^"\\])"|"") (?P<name>.+)', re.DOTALL | re.I
)


def _list(box: Mailbox) -> list[_Folder]:
    """All folders. One whose name can't be read is left out, unless it is marked: then ValueError."""
    status, lines = box.client.list()
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
    is_gmail = "X-GM-EXT-1" in box.client.capabilities
    return is_gmail and _is_there(box, "X-Google-Original-Message-ID", message_id)


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
