"""The Sent folder of an account: which of some mails are in it. Only looked at, never changed.

Gmail and Microsoft 365 file a copy of what they accept over SMTP; many other servers can be told to.
A copy proves that the mail was accepted. That there is none proves nothing by itself.
"""

import re
from collections.abc import Iterable, Iterator
from itertools import chain

from imap_tools import AND, FolderInfo, H

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
        if len(folders) == 1:
            box.folder.set(folders[0], readonly=True)
        for message_id in wanted:
            yield message_id, any(_has(box, folder, message_id) for folder in folders)


def _folders(box: Mailbox) -> list[str]:
    folders = [folder for folder in box.folder.list() if not {r"\noselect", r"\nonexistent"} & _flags(folder)]
    # RFC 6154: the special use says it whatever the name. A server may keep it from a plain LIST.
    marked = [folder.name for folder in folders if r"\sent" in _flags(folder)]
    found = marked or [folder.name for folder in folders if _is_named_sent(folder)]
    if not found:
        raise ValueError("no Sent folder")
    return found


def _flags(folder: FolderInfo) -> set[str]:
    return {flag.lower() for flag in folder.flags}


def _is_named_sent(folder: FolderInfo) -> bool:
    name = folder.name.casefold()
    *parents, leaf = name.split(folder.delim) if folder.delim not in ("", "NIL") else [name]
    return leaf in NAMES and tuple(parents) in PARENTS


def _has(box: Mailbox, folder: str, message_id: str) -> bool:
    if box.folder.get() != folder:
        box.folder.set(folder, readonly=True)
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
    hits = box.uids(AND(header=H(header, message_id)), charset=None)
    newest = hits[-MOST_COPIES:]
    found = box.fetch(uid_list=newest, mark_seen=False, headers_only=True, bulk=True) if newest else ()
    values = [message.headers.get(header.lower(), ()) for message in found]
    if any(re.sub(r"\s", "", value) == message_id for value in chain(*values)):
        return True
    if sum(map(bool, values)) < len(hits):
        raise ValueError("the search finds what can't be told from the mail")
    return False
