"""The Sent folder of a real Dovecot: found whatever its name, read exactly, and left as it is."""

import socket
import threading
from contextlib import suppress

import pytest
from django.core.exceptions import ValidationError

from accounts.checking import check_account
from accounts.imap import MailboxFailure, explain
from accounts.models import SmtpAccount
from accounts.presets import PRESETS
from accounts.sent_folder import Found, find_folders, look_for
from config.chaos.dovecot import Dovecot
from config.demo.smtp_server import LocalSmtpServer
from tests.factories import make_account
from tests.imap_fixtures import PASSWORD, USER, imap_of

ID = "<1f0d@sender.example>"


def account_of(dovecot: Dovecot, **fields) -> SmtpAccount:
    return SmtpAccount(email="one@sender.example", host="127.0.0.1", **imap_of(dovecot, **fields))


def copy(message_id: str = ID, header: str = "Message-ID") -> bytes:
    return f"From: a@b.example\r\n{header}: {message_id}\r\nSubject: Hello\r\n\r\nText\r\n".encode()


def is_there(account: SmtpAccount, *message_ids: str) -> list[bool]:
    found = dict(look_for(account, message_ids or (ID,), deadline=20))
    return [found[message_id] is Found.THERE for message_id in message_ids or (ID,)]


def failure(account: SmtpAccount) -> str:
    with pytest.raises(MailboxFailure) as raised:
        find_folders(account, deadline=20)
    assert PASSWORD not in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize(
    "options",
    [
        {"sent": "Sent"},
        {"sent": "Verschicktes", "special_use": True},
        {"sent": "Sent", "special_use": False},
        {"sent": "Sent Items", "special_use": False},
        {"sent": "Sent Messages", "special_use": False},
        {"sent": "[Gmail]/Sent Mail", "special_use": False},
        {"sent": "[Google Mail]/Gesendet", "special_use": False},
        {"sent": "INBOX.Sent", "prefix": "INBOX.", "special_use": False},
        {"sent": "INBOX.Sent", "prefix": "INBOX."},
        {"sent": "Éléments envoyés", "special_use": False},
        {"sent": "Отправленные", "special_use": False},
    ],
    ids=str,
)
def test_the_folder_is_found_by_its_special_use_or_else_by_its_name(start_dovecot, options):
    dovecot = start_dovecot(**options)
    account = account_of(dovecot)
    assert find_folders(account, deadline=20) == [options["sent"]]
    dovecot.file_sent(USER, copy())
    assert is_there(account) == [True]


def test_one_that_is_only_named_so_is_looked_into_beside_the_marked_one(start_dovecot):
    """The server may file its copies in either: "not there" has to be true of both."""
    dovecot = start_dovecot(sent="Verschicktes")
    dovecot.file_sent(USER, copy(), folder="Sent")
    assert find_folders(account_of(dovecot), deadline=20) == ["Verschicktes", "Sent"]
    assert is_there(account_of(dovecot)) == [True]


def test_where_there_are_several_all_of_them_are_looked_into(start_dovecot):
    dovecot = start_dovecot(sent=("Sent", "Sent Messages"))
    dovecot.file_sent(USER, copy(), folder="Sent Messages")
    assert is_there(account_of(dovecot), ID, "<other@sender.example>") == [True, False]


def test_only_the_very_message_id_counts(dovecot):
    """IMAP's search finds a header that contains the text, in any case."""
    dovecot.file_sent(USER, copy("<x1f0d@sender.example>"))
    dovecot.file_sent(USER, copy("<1F0D@sender.example>"))
    dovecot.file_sent(USER, copy(ID, header="In-Reply-To"))
    assert is_there(account_of(dovecot), ID, "1f0d@sender.example", "<x1f0d@sender.example>") == [
        False, False, True
    ]  # fmt: skip


def test_a_folded_header_is_the_same_header(dovecot):
    dovecot.file_sent(USER, copy(f"\r\n {ID}"))
    assert is_there(account_of(dovecot)) == [True]


@pytest.mark.parametrize(
    "odd", ['<a"b@x>', "<a\\b@x>", '<a" OR ALL "@x>', "<a)@x>", "<a%*@x>", "<ä@x>", "<a\r\nX LOGOUT@x>", ""]
)
def test_an_odd_message_id_breaks_nothing_and_is_not_there(dovecot, odd):
    dovecot.file_sent(USER, copy())
    assert is_there(account_of(dovecot), odd, ID) == [False, True]


def test_gmails_own_name_for_the_message_id_counts_at_gmail(start_dovecot):
    gmail, other = start_dovecot(capability="X-GM-EXT-1"), start_dovecot()
    for dovecot in (gmail, other):
        dovecot.file_sent(USER, copy(header="X-Google-Original-Message-ID"))
    assert (is_there(account_of(gmail)), is_there(account_of(other))) == ([True], [False])


def test_looking_changes_nothing(dovecot):
    dovecot.file_sent(USER, copy())
    maildir = dovecot.home / "mail" / USER / "Maildir" / ".Sent"
    is_there(account_of(dovecot))
    # Neither seen nor even recent no more: EXAMINE leaves it in new/.
    assert len(list((maildir / "new").iterdir())) == 1
    assert list((maildir / "cur").iterdir()) == []


def test_hundreds_of_mails_take_one_log_in(dovecot):
    wanted = [f"<{n}@sender.example>" for n in range(300)]
    for message_id in wanted[::3]:
        dovecot.file_sent(USER, copy(message_id))
    assert is_there(account_of(dovecot), *wanted) == [n % 3 == 0 for n in range(300)]
    assert dovecot.log.count("imap-login: Info: Login:") == 1


@pytest.mark.parametrize(("security", "host"), [("tls", "localhost"), ("starttls", "127.0.0.1")])
def test_tls_with_a_certificate_that_is_trusted(
    start_dovecot, certificate, authority, settings, tmp_path, security, host
):
    dovecot = start_dovecot(certificate=certificate)
    port = dovecot.tls_port if security == "tls" else dovecot.port
    account = account_of(dovecot, imap_security=security, imap_port=port, imap_host=host)
    assert "not signed by anybody trusted here" in failure(account)
    assert "Login:" not in dovecot.log
    path = tmp_path / "authority.pem"
    authority.cert_pem.write_to_path(str(path))
    settings.SMTP_CA_FILE = str(path)
    assert find_folders(account, deadline=20) == ["Sent"]
    assert "TLS" in dovecot.log.split("Login:")[1].splitlines()[0]


def test_starttls_is_never_skipped(dovecot):
    assert "does not offer STARTTLS" in failure(account_of(dovecot, imap_security="starttls"))
    assert "Login:" not in dovecot.log


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"password": "wrong"}, "does not accept the account's user name with this password over IMAP"),
        ({"username": "", "password": ""}, "no user name and password: enter them, or empty the IMAP host"),
        ({"imap_host": "nowhere.invalid"}, "There is no IMAP host “nowhere.invalid”"),
        ({"imap_host": "a..b"}, "There is no IMAP host"),
        ({"username": "öne", "password": "wrong"}, "does not accept the account's user name"),
        ({"imap_security": "tls"}, "does not speak TLS from the start on port"),
    ],
)
def test_what_is_wrong_is_told_with_what_mends_it(dovecot, fields, says):
    assert says in failure(account_of(dovecot, **fields))


def test_a_server_that_is_away_is_told(dovecot):
    dovecot.stop()
    assert "Nothing listens on 127.0.0.1" in failure(account_of(dovecot))


def test_a_mailbox_without_a_sent_folder_is_told(start_dovecot):
    dovecot = start_dovecot(sent="Archive", special_use=False)
    assert "no Sent folder that is known here" in failure(account_of(dovecot))


@pytest.mark.parametrize(
    ("host", "answer", "says"),
    [
        (
            "imap.gmail.com",
            b"[ALERT] Application-specific password required: https://x",
            "app pass",
        ),
        (
            "imap.gmail.com",
            b"[AUTHENTICATIONFAILED] Invalid credentials",
            "Gmail wants an app pass",
        ),
        ("imap.gmail.com", b"[ALERT] Your account is not enabled for IMAP use.", "turn it on in Gmail's"),
        ("imap.gmail.com", b"[ALERT] Too many simultaneous connections. (Failure)", "tried again later"),
        ("outlook.office365.com", b"LOGIN failed.", "Microsoft 365 takes no password over IMAP any more"),
        ("outlook.office365.com", b"AUTHENTICATE failed.", "wants OAuth2"),
    ],
)
def test_what_providers_answer_is_told_with_what_mends_it(refusing_server, host, answer, says):
    account = SmtpAccount(imap_host=host, imap_security="none", username="me", password="Xq7-never")
    assert says in explain(account, answer.decode())
    account.imap_host, account.imap_port = "127.0.0.1", refusing_server(answer)
    if "office365" not in host:  # told by its name
        assert says in failure(account)


def test_a_server_that_quotes_the_password_does_not_get_it_into_our_words(refusing_server):
    account = SmtpAccount(imap_host="127.0.0.1", imap_security="none", username="me", password="Xq7-never")
    account.imap_port = refusing_server(b"Odd: me Xq7-never")
    with pytest.raises(MailboxFailure) as raised:
        find_folders(account, deadline=20)
    assert "Odd: me …" in str(raised.value)


def test_a_log_in_that_the_server_cannot_take_is_told(refusing_server):
    """LOGIN carries ASCII only, and this server has no AUTH=PLAIN."""
    account = SmtpAccount(imap_host="127.0.0.1", imap_security="none", username="me", password="pöss")
    account.imap_port = refusing_server(b"No")
    assert "has a character that this log-in can't carry" in failure(account)


@pytest.fixture
def refusing_server():
    """refusing_server(b"[ALERT] No") answers so to LOGIN, under its tag. Returns its port."""
    listeners = []

    def start(answer: bytes) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_refuse, args=(listener, answer), daemon=True).start()
        return listener.getsockname()[1]

    yield start
    for listener in listeners:
        listener.close()


def _refuse(listener: socket.socket, answer: bytes) -> None:
    try:
        client, _ = listener.accept()
    except OSError:  # the test has ended
        return
    with client, client.makefile("rb") as lines:
        client.sendall(b"* OK hi\r\n")
        for line in lines:
            tag, command = line.split()[:2]
            said = {
                b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n" + tag + b" OK done",
                b"LOGIN": tag + b" NO " + answer,
            }
            client.sendall(said.get(command, tag + b" OK done") + b"\r\n")


SENT = b'* LIST (\\Sent) "/" "Sent"\r\n'


@pytest.fixture
def odd_server():
    """odd_server(search, fetch, folders) answers so to UID SEARCH, UID FETCH and LIST, always. Returns an
    account."""
    listeners = []

    def start(search: bytes, fetch: bytes = b"", folders: bytes = SENT) -> SmtpAccount:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_answer, args=(listener, search, fetch, folders), daemon=True).start()
        return SmtpAccount(
            imap_host="127.0.0.1", imap_port=listener.getsockname()[1], imap_security="none",
            username="me", password="Xq7-never",
        )  # fmt: skip

    yield start
    for listener in listeners:
        listener.close()


def _answer(listener: socket.socket, search: bytes, fetch: bytes, folders: bytes = SENT) -> None:
    with suppress(OSError), listener.accept()[0] as client, client.makefile("rb") as lines:
        client.sendall(b"* OK hi\r\n")
        for line in lines:
            tag, command, *rest = line.split()
            said = {
                b"CAPABILITY": b"* CAPABILITY IMAP4rev1\r\n",
                b"LIST": folders,
                b"SEARCH": search,
                b"FETCH": fetch,
            }
            client.sendall(said.get(rest[0] if command == b"UID" else command, b"") + tag + b" OK done\r\n")


def mail_of(uid: int, header: bytes) -> bytes:
    return b"* %d FETCH (UID %d BODY[HEADER] {%d}\r\n%b)\r\n" % (uid, uid, len(header), header)


@pytest.mark.parametrize(
    ("search", "fetch"),
    [
        (b"* SEARCH 1 2 3\r\n", b""),  # hits that it does not show
        (b"* SEARCH 1 2\r\n", mail_of(1, b"Message-ID: <other@x.example>\r\n\r\n")),
        (b"* SEARCH 1\r\n", mail_of(1, b"Subject: Hello\r\n\r\n")),
        (
            b"* SEARCH " + b" ".join(b"%d" % uid for uid in range(1, 100)) + b"\r\n",  # as if it were ALL
            b"".join(mail_of(uid, b"Message-ID: <other@x.example>\r\n\r\n") for uid in range(80, 100)),
        ),
    ],
    ids=["none shown", "one kept back", "without the header", "all mails"],
)
def test_hits_that_cannot_all_be_compared_are_no_proof_that_it_is_not_there(odd_server, search, fetch):
    with pytest.raises(MailboxFailure, match="nobody knows whether it is the email"):
        is_there(odd_server(search, fetch))


def test_hits_that_are_all_other_mails_say_that_it_is_not_there(odd_server):
    other = mail_of(1, b"Message-ID: <x1f0d@sender.example>\r\n\r\n")
    assert is_there(odd_server(b"* SEARCH 1\r\n", other)) == [False]


def test_a_server_that_breaks_the_grammar_is_told_as_any_other_trouble(odd_server):
    with pytest.raises(MailboxFailure, match="can't be read over IMAP"):
        is_there(odd_server(b"* SEARCH {2}\r\n12\r\n"))


@pytest.mark.parametrize("search", [b"", b"* SEARCH\r\n* SEARCH 1\r\n"], ids=["none", "on two lines"])
def test_an_answer_to_a_search_that_is_not_whole_is_no_proof_that_it_is_not_there(odd_server, search):
    with pytest.raises(MailboxFailure):
        is_there(odd_server(search, b""))


def test_hits_on_several_lines_are_all_looked_at(odd_server):
    mine = mail_of(5, b"Message-ID: %b\r\n\r\n" % ID.encode())
    assert is_there(odd_server(b"* SEARCH\r\n* SEARCH 5\r\n", mine)) == [True]


@pytest.mark.parametrize("size", [99999999999999999999, 9000000000000000, 2_000_000])
@pytest.mark.parametrize("where", ["folders", "search"])
def test_a_literal_that_no_memory_holds_is_told_as_any_other_trouble(odd_server, size, where):
    literal = b"{%d}\r\nSent\r\n" % size
    answers = {
        "folders": {"folders": b'* LIST (\\Sent) "/" ' + literal},
        "search": {"search": b"* SEARCH " + literal},
    }
    with pytest.raises(MailboxFailure, match="can't be read over IMAP"):
        is_there(odd_server(**{"search": b"", "fetch": b"", **answers[where]}))


@pytest.mark.parametrize(
    ("listed", "found"),
    [
        (b'* LIST () "/" "R&D"\r\n' + SENT, ["Sent"]),  # not modified UTF-7 (RFC 3501 section 5.1.3)
        (b'* LIST (\\Sent) "/" "Se\\\\nt \\"x\\""\r\n', ['Se\\nt "x"']),
        (b'* LIST (\\Sent) NIL Sent\r\n', ["Sent"]),
        (b'* LIST (\\HasNoChildren \\SENT) "." {4}\r\nSent\r\n', ["Sent"]),
    ],
)  # fmt: skip
def test_odd_names_of_folders_are_read(odd_server, listed, found):
    assert find_folders(odd_server(b"", b"", listed), deadline=20) == found


def test_connecting_ends_within_the_deadline_too(settings):
    settings.SMTP_TIMEOUT = 60
    with socket.create_server(("127.0.0.1", 0)) as silent:
        account = SmtpAccount(
            imap_host="127.0.0.1", imap_port=silent.getsockname()[1], imap_security="tls", username="me",
            password="Xq7-never",
        )  # fmt: skip
        with pytest.raises(MailboxFailure, match="took too long"):
            find_folders(account, deadline=0.5)


def test_a_server_that_drips_is_cut_off_at_the_deadline(settings):
    settings.SMTP_TIMEOUT = 5
    listener = socket.create_server(("127.0.0.1", 0))
    over = threading.Event()

    def drip() -> None:
        client, _ = listener.accept()
        while not over.wait(0.05):
            try:
                client.sendall(b"*")
            except OSError:
                return

    threading.Thread(target=drip, daemon=True).start()
    account = SmtpAccount(
        imap_host="127.0.0.1", imap_port=listener.getsockname()[1], imap_security="none",
        username="me", password=PASSWORD,
    )  # fmt: skip
    with pytest.raises(MailboxFailure, match="took too long"):
        find_folders(account, deadline=0.5)
    over.set()
    listener.close()


@pytest.mark.django_db
def test_the_check_says_which_folder_was_found_or_why_it_cannot_be_read(dovecot):
    with LocalSmtpServer({USER: PASSWORD}) as server:
        account = make_account(port=server.port, **imap_of(dovecot))
        check = check_account(account)
        assert check.ok
        assert str(check).endswith("The connection works. Uncertain mail is looked for in its folder “Sent”.")
        dovecot.stop()
        check = check_account(account)
        assert check.ok  # it sends all the same
        assert "Uncertain mail can't be looked for: Nothing listens on 127.0.0.1" in str(check)


@pytest.mark.django_db
def test_the_password_never_crosses_the_network_unencrypted():
    account = SmtpAccount(
        name="x", email="x@sender.example", host="smtp.sender.example", imap_host="imap.sender.example",
        imap_security="none", imap_port=None,
    )  # fmt: skip
    with pytest.raises(ValidationError) as refused:
        account.clean()
    assert list(refused.value.message_dict) == ["imap_security"]
    account.imap_host = "localhost"
    account.clean()
    assert account.imap_port == 143


def test_gmail_has_a_sent_folder_to_read_and_microsoft_365_has_none():
    assert (PRESETS["gmail"].imap_host, PRESETS["microsoft365"].imap_host) == ("imap.gmail.com", "")
