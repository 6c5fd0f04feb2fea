"""IMAP servers that are odd, hostile or half broken: none fills the memory, holds up others, or proves what
is not so."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from imap_tools.imap_utf7 import utf7_decode

from accounts import checking, imap, network
from accounts.checking import Check
from accounts.imap import MailboxFailure
from accounts.models import SmtpAccount
from accounts.sent_folder import Found, find_folders, look_for
from tests.smtp_fixtures import certificate_for

SENT = b'* LIST (\\Sent) "/" "Sent"\r\n'
ONE, TWO = "<one@sender.example>", "<two@sender.example>"
Answer = Callable[[bytes, bytes], bytes]  # from a command, without its tag, and the folder that is chosen


@contextmanager
def server(
    answer: Answer, greeting: bytes = b"* OK hi\r\n", tls: ssl.SSLContext | None = None
) -> Iterator[int]:
    """Says so before each OK, in one conversation. An answer that begins with NO or BAD refuses instead."""
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        with suppress(OSError):
            client = listener.accept()[0]
            client.sendall(greeting)
            lines, folder = client.makefile("rb"), b""
            while line := lines.readline():
                tag, command = line.strip().split(b" ", 1)
                if command.startswith(b"EXAMINE"):
                    folder = command
                said = answer(command, folder)
                client.sendall(
                    tag + b" " + said if said.startswith((b"NO", b"BAD")) else said + tag + b" OK done\r\n"
                )
                if command == b"STARTTLS" and tls:
                    client = tls.wrap_socket(client, server_side=True)
                    lines = client.makefile("rb")

    threading.Thread(target=talk, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def account_at(port: int, security: str = "none") -> SmtpAccount:
    return SmtpAccount(
        imap_host="127.0.0.1", imap_port=port, imap_security=security, username="me", password="Xq7-never"
    )


def mail_of(uid: int, message_id: str) -> bytes:
    header = f"Message-ID: {message_id}\r\n\r\n".encode()
    return b"* %d FETCH (UID %d BODY[HEADER] {%d}\r\n%b)\r\n" % (uid, uid, len(header), header)


def usual(command: bytes, folders: bytes = SENT, capabilities: bytes = b"") -> bytes:
    if command.startswith(b"CAPABILITY"):
        return b"* CAPABILITY IMAP4rev1 " + capabilities + b"\r\n"
    if command.startswith(b"LIST"):
        return folders
    if command.startswith(b"EXAMINE"):
        return b"* 3 EXISTS\r\n"
    return b"* SEARCH\r\n" if command.startswith(b"UID SEARCH") else b""


def test_a_server_that_lists_without_end_fills_no_memory():
    """imaplib keeps every line of an answer."""
    flood = (b'* LIST () "/" "' + b"x" * 60_000 + b'"\r\n') * (2 * imap.MOST_HEARD // 60_000)
    with (
        server(lambda command, _: usual(command, folders=flood)) as port,
        pytest.raises(MailboxFailure, match="far too much"),
    ):
        find_folders(account_at(port), deadline=20)


def test_a_mail_that_is_not_there_is_told_at_once_however_long_the_others_take():
    over = threading.Event()

    def answer(command: bytes, folder: bytes) -> bytes:
        if command.startswith(b"UID SEARCH") and b"two@" in command:
            over.wait(20)
        return usual(command)

    with server(answer) as port:
        looks = look_for(account_at(port), [ONE, TWO], deadline=3)
        assert next(looks) == (ONE, Found.UNPROVEN)
        with pytest.raises(MailboxFailure):
            next(looks)
        over.set()


def test_a_folder_that_may_not_be_read_hides_no_copy_in_another():
    def answer(command: bytes, folder: bytes) -> bytes:
        if b"Items" in folder and command.startswith(b"EXAMINE"):
            return b"NO [NOPERM] denied\r\n"
        if command.startswith(b"UID SEARCH") and b"two@" in command:
            return b"* SEARCH 1\r\n"
        if command.startswith(b"UID FETCH"):
            return mail_of(1, TWO)
        return usual(command, folders=SENT + b'* LIST () "/" "Sent Items"\r\n')

    with server(answer) as port:
        looks = look_for(account_at(port), [ONE, TWO], deadline=20)
        assert next(looks) == (TWO, Found.THERE)
        with pytest.raises(MailboxFailure):
            next(looks)  # nothing is known of the other


def test_one_mail_shown_twice_does_not_stand_for_another_that_is_not_shown():
    def answer(command: bytes, _: bytes) -> bytes:
        if command.startswith(b"UID SEARCH"):
            return b"* SEARCH 1 2\r\n"
        return mail_of(1, TWO) * 2 if command.startswith(b"UID FETCH") else usual(command)

    with server(answer) as port, pytest.raises(MailboxFailure, match="nobody knows whether it is the email"):
        list(look_for(account_at(port), [ONE], deadline=20))


def test_a_mail_that_cant_be_told_from_others_keeps_nothing_from_being_known_of_them():
    def answer(command: bytes, _: bytes) -> bytes:
        if command.startswith(b"UID SEARCH") and b"one@" in command:
            return b"* SEARCH 1\r\n"  # and shows nothing of it
        return usual(command)

    with server(answer) as port:
        looks = look_for(account_at(port), [ONE, TWO], deadline=20)
        assert next(looks) == (TWO, Found.UNPROVEN)
        with pytest.raises(MailboxFailure, match="nobody knows whether it is the email"):
            next(looks)


def test_an_accepted_mail_that_cant_be_told_from_others_proves_nothing():
    def answer(command: bytes, _: bytes) -> bytes:
        return (
            b"* SEARCH 1\r\n" if command.startswith(b"UID SEARCH") and b"two@" in command else usual(command)
        )

    with server(answer) as port:
        assert dict(look_for(account_at(port), [ONE], 20, accepted=[TWO])) == {ONE: Found.UNPROVEN}


GMAILS = (
    b'* LIST () "/" "INBOX"\r\n* LIST () "/" "Sent"\r\n* LIST (\\Noselect) "/" "[Gmail]"\r\n'
    b'* LIST (\\All) "/" "[Gmail]/All Mail"\r\n'
)


def test_gmails_sent_mail_may_be_hidden_and_a_label_named_sent_is_not_it():
    def answer(command: bytes, folder: bytes) -> bytes:
        if command.startswith(b"UID SEARCH"):
            return b"* SEARCH 7\r\n" if b"All Mail" in folder else b"* SEARCH\r\n"
        if command.startswith(b"UID FETCH"):
            return mail_of(7, ONE)
        return usual(command, folders=GMAILS, capabilities=b"X-GM-EXT-1")

    with server(answer) as port:
        assert dict(look_for(account_at(port), [ONE], deadline=20)) == {ONE: Found.THERE}


def test_a_gmail_that_shows_neither_says_what_to_do():
    listed = GMAILS.replace(b"\\All", b"\\Noselect")
    with server(lambda command, _: usual(command, folders=listed, capabilities=b"X-GM-EXT-1")) as port:
        account = account_at(port)
        with pytest.raises(MailboxFailure, match="no Sent folder"):
            find_folders(account, deadline=20)
    account.imap_host = "imap.gmail.com"
    assert "show it in Gmail's settings" in imap.explain(account, "no Sent folder")


@pytest.mark.parametrize("refusal", [b"", b"BAD what?\r\n", b"NO not now\r\n"])
def test_the_special_use_is_asked_for_where_a_plain_list_does_not_tell_it(refusal):
    plain = b'* LIST () "/" "Ausgang"\r\n* LIST () "/" "Sent"\r\n'

    def answer(command: bytes, _: bytes) -> bytes:
        if b"RETURN (SPECIAL-USE)" in command:
            return refusal or plain.replace(b"()", b"(\\Sent)", 1)
        return usual(command, folders=plain, capabilities=b"LIST-EXTENDED SPECIAL-USE")

    with server(answer) as port:
        assert find_folders(account_at(port), deadline=20) == ["Ausgang", "Sent"][bool(refusal) :]


def test_a_marked_folder_whose_line_cant_be_read_is_not_passed_over():
    listed = b'* LIST (\\Sent)  "/" "Verschickt"\r\n* LIST () "/" "Sent"\r\n'
    with (
        server(lambda command, _: usual(command, folders=listed)) as port,
        pytest.raises(MailboxFailure, match="name can't be read"),
    ):
        find_folders(account_at(port), deadline=20)


def test_what_was_said_before_starttls_counts_for_nothing(authority, trusting, monkeypatch):
    monkeypatch.setattr(network, "tls_context", lambda: trusting)
    in_the_middle = b'* OK hi\r\n* LIST (\\Sent) "/" "INBOX"\r\n'
    with server(
        lambda command, _: usual(command, capabilities=b"STARTTLS"),
        greeting=in_the_middle,
        tls=certificate_for(authority, "127.0.0.1"),
    ) as port:
        assert find_folders(account_at(port, "starttls"), deadline=20) == ["Sent"]


def test_a_server_that_has_turned_login_off_and_takes_plain_is_logged_in_to():
    listener = socket.create_server(("127.0.0.1", 0))

    def talk() -> None:
        with listener.accept()[0] as client, client.makefile("rb") as lines:
            client.sendall(b"* OK hi\r\n")
            for line in lines:
                tag, command = line.strip().split(b" ", 1)
                if command.startswith(b"AUTHENTICATE"):
                    client.sendall(b"+ \r\n")
                    lines.readline()
                client.sendall(
                    usual(command, capabilities=b"LOGINDISABLED AUTH=PLAIN") + tag + b" OK done\r\n"
                )

    threading.Thread(target=talk, daemon=True).start()
    with listener:
        assert find_folders(account_at(listener.getsockname()[1]), deadline=20) == ["Sent"]


@pytest.mark.django_db
def test_a_folders_name_is_shown_without_what_no_screen_or_row_can_hold(admin_client, monkeypatch):
    account = SmtpAccount.objects.create(name="one", email="one@sender.example", imap_host="imap.example")
    monkeypatch.setattr(checking, "_try_smtp", lambda account: Check(ok=True))
    monkeypatch.setattr(checking, "find_folders", lambda *_: [utf7_decode(b"Sent&AAA-")])
    asked = {"account": account.pk}
    shown = admin_client.post(
        "/admin/accounts/smtpaccount/check/", asked, headers={"HX-Request": "1"}
    ).content.decode()
    assert "“Sent”" in shown
