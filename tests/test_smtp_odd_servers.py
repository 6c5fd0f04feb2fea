"""Servers that keep to no rule: the conversation always ends, in an SmtpFailure, with bounded memory."""

import socket
import struct
import threading
import time
from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.client import BoundedSmtp
from accounts.connection import SmtpConnection, SmtpFailure
from accounts.models import SmtpAccount
from sending.judge import judge
from sending.replies import Pause
from tests.odd_server import GREETING, OFFER, Talk, listen_for, odd_server, says


def hand_over(connection: SmtpConnection):
    connection.open()
    return connection.send("a@example.com", "b@example.com", b"Hello\r\n")


def failure_with(talk: Talk, timeout: float = 2, **fields) -> SmtpFailure:
    """Opens a connection and sends one mail; it must fail, and only in this way."""
    fields = {"security": "none", **fields}
    with odd_server(talk) as port:
        account = SmtpAccount(name="one", host="127.0.0.1", port=port, **fields)
        with closing(SmtpConnection(account, timeout=timeout)) as connection:
            with pytest.raises(SmtpFailure) as failed:
                hand_over(connection)
            assert len(failed.value.text) <= 500
            assert failed.value.text.isprintable()
    return failed.value


def forever(part: bytes, pause: float = 0, before: bytes = b"") -> Talk:
    def talk(caller: socket.socket) -> None:
        if before:
            caller.sendall(before)
            caller.recv(65536)
        ends = time.monotonic() + 15
        while time.monotonic() < ends:
            caller.sendall(part)
            time.sleep(pause)

    return talk


@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9\r\n",
        b"\r\n",
        b"220",
        b"99 no\r\n",
        b"2200 no\r\n",
        b"600 no\r\n",
        b"\x00\xff" * 50 + b"\n",
    ],
)
def test_a_greeting_that_is_no_smtp_fails_the_connecting(garbage):
    failure = failure_with(says(garbage))
    assert (failure.phase, failure.code) == ("connect", None)


@pytest.mark.parametrize("before", [b"", GREETING])
@pytest.mark.parametrize("part", [b"x" * 4096, b"220-" + b"y" * 4096, b"220-more\r\n"])
def test_a_reply_without_end_is_cut_off(part, before):
    failure = failure_with(forever(part, before=before), timeout=20)
    assert (failure.phase, failure.text) == ("connect", "the server's reply has no end")


@pytest.mark.parametrize("part", [b"2", b"220-x\r\n"])
def test_a_reply_that_drips_ends_with_the_time_for_opening(part):
    failure = failure_with(forever(part, pause=0.05), timeout=0.4)
    assert (failure.phase, failure.text) == ("connect", "The server took too long to answer.")


def test_a_reply_that_drips_after_the_dot_leaves_the_mail_uncertain():
    def talk(caller: socket.socket) -> None:
        for reply in (GREETING, b"250 odd\r\n", b"250 ok\r\n", b"250 ok\r\n"):
            caller.sendall(reply)
            caller.recv(65536)
        caller.sendall(b"354 go\r\n")
        listen_for(caller, b"\r\n.\r\n")
        forever(b"2", pause=0.05)(caller)

    failure = failure_with(talk, timeout=0.4)
    assert (failure.phase, failure.code, failure.after_dot) == ("dot", None, True)


def test_a_server_that_reads_nothing_is_left_before_the_dot():
    stop = threading.Event()

    def talk(caller: socket.socket) -> None:
        for reply in (GREETING, b"250 odd\r\n", b"250 ok\r\n", b"250 ok\r\n"):
            caller.sendall(reply)
            caller.recv(65536)
        caller.sendall(b"354 go\r\n")
        stop.wait(15)

    with odd_server(talk) as port:
        account = SmtpAccount(name="one", host="127.0.0.1", port=port, security="none")
        with closing(SmtpConnection(account, timeout=0.5)) as connection:
            connection.open()
            with pytest.raises(SmtpFailure) as failed:
                connection.send("a@example.com", "b@example.com", b"x" * 30_000_000)
            stop.set()
    assert (failed.value.phase, failed.value.after_dot) == ("data", False)
    assert failed.value.text == "The server took too long to answer."


TOO_BIG = b"552-5.3.4 Your message is\r\n552 5.3.4 too big\r\n"


def read_on(caller: socket.socket, heard: list[bytes]) -> None:
    while arrived := caller.recv(65536):
        heard[:] = [arrived]


@pytest.mark.parametrize("ends", ["hangs up", "reads on", "reads nothing"])
@pytest.mark.parametrize(
    ("answer", "code", "enhanced_code", "text"),
    [
        (TOO_BIG, 552, "5.3.4", "Your message is too big"),
        (b"552\r\n", 552, "", ""),
        (b"250 taken\r\n", None, "", ""),
        (b"552 5.3.4 no line end", None, "", ""),
    ],
)
def test_a_message_that_is_refused_before_its_end_fails_by_that_refusal(
    answer, code, enhanced_code, text, ends
):
    heard: list[bytes] = [b""]
    is_over = threading.Event()

    def talk(caller: socket.socket) -> None:
        for reply in (GREETING, b"250 odd\r\n", b"250 ok\r\n", b"250 ok\r\n"):
            caller.sendall(reply)
            caller.recv(65536)
        caller.sendall(b"354 go\r\n")
        caller.recv(1)
        caller.sendall(answer)
        if ends == "reads on":
            read_on(caller, heard)
        elif ends == "reads nothing":
            is_over.wait(15)

    with odd_server(talk) as port:
        account = SmtpAccount(name="one", host="127.0.0.1", port=port, security="none")
        with closing(SmtpConnection(account, timeout=1)) as connection:
            connection.open()
            with pytest.raises(SmtpFailure) as failed:  # more than any buffer between the two holds
                connection.send("a@example.com", "b@example.com", b"x" * 30_000_000)
            assert not connection.is_open  # out of step
        is_over.set()
    assert (failed.value.phase, failed.value.code, failed.value.after_dot) == ("data", code, False)
    assert failed.value.enhanced_code == enhanced_code
    assert text in failed.value.text
    assert not heard[0].endswith(b"\r\n.\r\n")


def reset(caller: socket.socket) -> None:
    """Ends the connection as a process that dies does (RST)."""
    caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    caller.close()


@pytest.mark.parametrize("end", [reset, socket.socket.close])
@pytest.mark.parametrize("after", [b"", b"Hello\r\n"])
def test_a_connection_that_is_lost_before_the_dot_leaves_no_doubt(after, end):
    """RFC 5321 section 4.1.1.4: without the dot nothing may be delivered."""
    heard = []

    def talk(caller: socket.socket) -> None:
        for reply in (GREETING, b"250 odd\r\n", b"250 ok\r\n", b"250 ok\r\n"):
            caller.sendall(reply)
            caller.recv(65536)
        time.sleep(0.3)  # so far away is this server
        caller.sendall(b"354 go\r\n")
        heard.append(listen_for(caller, after) if after else b"")
        time.sleep(0.1)  # and so long does the news of its end take
        end(caller)

    failure = failure_with(talk)
    assert heard == [after]
    assert (failure.phase, failure.code, failure.after_dot) == ("data", None, False)


def test_a_dot_that_a_lost_connection_does_not_take_leaves_no_doubt():
    is_greeted = threading.Event()

    def talk(caller: socket.socket) -> None:
        caller.sendall(GREETING)
        is_greeted.wait(15)
        reset(caller)

    client = BoundedSmtp(local_hostname="localhost")
    with odd_server(talk) as port:
        client.connect("127.0.0.1", port)
        is_greeted.set()
    with closing(client), pytest.raises(SmtpFailure) as failed:
        SmtpConnection._write_dot(client)
    assert (failed.value.phase, failed.value.after_dot) == ("data", False)


@pytest.mark.parametrize(
    ("parts", "phase", "text"),
    [
        ((GREETING, b"250 odd\r\n"), "auth", "The server does not offer to log in."),
        ((GREETING, b"250-odd\r\n250 AUTH XOAUTH2\r\n"), "auth", "offers no way to log in"),
        ((GREETING, b"250-odd\r\n250 AUTH\r\n"), "auth", "offers no way to log in"),
        ((GREETING, OFFER, b"334 ???\r\n", b"334 ???\r\n"), "auth", "???"),
        ((GREETING, b"250-odd\r\n250 AUTH LOGIN\r\n", *[b"334 VXNlcg==\r\n"] * 9), "auth", ""),
        ((GREETING, b"250-odd\r\n250 AUTH CRAM-MD5\r\n", b"334 !\r\n", b"535 no\r\n"), "auth", "no"),
        ((GREETING, b"502 what?\r\n"), "connect", "what?"),
    ],
)
def test_a_log_in_that_leads_nowhere_ends(parts, phase, text):
    failure = failure_with(says(*parts), username="me", password="secret-word")
    assert failure.phase == phase
    assert text in failure.text
    assert "secret-word" not in str(failure)


@pytest.mark.parametrize("offer", [b"250 odd\r\n", b"250-odd\r\n250 AUTH XOAUTH2\r\n"])
def test_a_server_that_offers_no_log_in_pauses_the_account_until_it_is_mended(offer):
    failure = failure_with(says(GREETING, offer), username="me", password="secret-word")
    verdict = judge(failure.phase, failure.code, failure.enhanced_code, failure.text)
    assert (verdict.outcome, verdict.pause) == ("returned", Pause.MENDED)
    assert "port 587 with STARTTLS, or 465" in str(verdict.cure)
    assert "leave the user name empty" in str(verdict.cure)


@pytest.mark.parametrize("mechanism", [b"LOGIN", b"CRAM-MD5"])
def test_a_password_that_a_log_in_cannot_carry_is_not_told(mechanism):
    talk = says(GREETING, b"250-odd\r\n250 AUTH " + mechanism + b"\r\n", *[b"334 VXNlcg==\r\n"] * 3)
    failure = failure_with(talk, username="me", password="pässword")
    assert (failure.phase, failure.code) == ("auth", 535)
    assert failure.text == "User name or password has a character beyond ASCII."


def test_a_recipient_beyond_ascii_is_refused_here_where_the_server_cannot_take_it():
    replies = (GREETING, b"250 odd\r\n", b"250 reset\r\n", b"250 ok\r\n", b"550 no\r\n", b"250 reset\r\n")
    with odd_server(says(*replies)) as port:
        account = SmtpAccount(name="one", host="127.0.0.1", port=port, security="none")
        with closing(SmtpConnection(account, timeout=2)) as connection:
            connection.open()
            for address, expected in (("jürgen@example.com", (553, "5.6.7")), ("b@example.com", (550, ""))):
                with pytest.raises(SmtpFailure) as failed:
                    connection.send("a@example.com", address, b"Hello\r\n")
                assert (failed.value.code, failed.value.enhanced_code) == expected


replies = st.one_of(
    st.binary(max_size=60),
    st.binary(max_size=30).map(lambda text: b"250 " + text + b"\r\n"),
    st.sampled_from([GREETING, OFFER, b"250 ok\r\n", b"354 go\r\n", b"250-", b"334 a\r\n", b"421 bye\r\n"]),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(parts=st.lists(replies, max_size=7), security=st.sampled_from(["none", "starttls", "tls"]))
def test_whatever_a_server_says_the_conversation_ends_in_a_reply_or_a_failure(parts, security):
    with odd_server(says(*parts)) as port:
        fields = {"username": "me", "password": "secret-word"} if len(parts) % 2 else {}
        account = SmtpAccount(name="one", host="127.0.0.1", port=port, security=security, **fields)
        with closing(SmtpConnection(account, timeout=0.2)) as connection:
            outcome = outcome_of(connection)
    assert isinstance(outcome, SmtpFailure) or outcome.code == 250
    assert "secret-word" not in f"{outcome} {outcome!r}"


def outcome_of(connection: SmtpConnection):
    try:
        return hand_over(connection)
    except SmtpFailure as failure:
        return failure


def test_an_address_beyond_ascii_goes_to_a_server_that_takes_it_and_says_so():
    heard = []

    def talk(caller: socket.socket) -> None:
        for reply in (GREETING, b"250-odd\r\n250 SMTPUTF8\r\n", *[b"250 ok\r\n"] * 2, b"550 no\r\n"):
            caller.sendall(reply)
            heard.append(caller.recv(65536))

    with odd_server(talk) as port:
        account = SmtpAccount(name="one", host="127.0.0.1", port=port, security="none")
        with closing(SmtpConnection(account, timeout=2)) as connection:
            connection.open()
            with pytest.raises(SmtpFailure):
                connection.send("a@example.com", "jürgen@bücher.example", b"Hello\r\n")
    assert heard[1] == b"MAIL FROM:<a@example.com> SMTPUTF8 BODY=8BITMIME\r\n"
    assert heard[2] == "RCPT TO:<jürgen@xn--bcher-kva.example>\r\n".encode()


@pytest.mark.parametrize("most", [b"1000", b"0", b"", b"many"])
def test_a_message_larger_than_the_server_takes_is_not_pushed_at_it(most):
    """RFC 1870 section 4: 0, and no number, mean that no size is fixed."""
    heard: list[bytes] = []

    def talk(caller: socket.socket) -> None:
        for line in (
            GREETING,
            b"250-odd\r\n250 SIZE " + most + b"\r\n",
            b"450 4.3.0 Later\r\n",
            b"250 OK\r\n",
        ):
            caller.sendall(line)
            heard.append(caller.recv(65536))

    with odd_server(talk) as port:
        account = SmtpAccount(name="one", host="127.0.0.1", port=port, security="none")
        with closing(SmtpConnection(account, timeout=2)) as connection:
            connection.open()
            with pytest.raises(SmtpFailure) as failed:
                connection.send("a@example.com", "b@example.com", b"x" * 1200)
    failure = failed.value
    if most != b"1000":
        assert (failure.phase, failure.code) == ("mail", 450)
        return
    assert heard[1] == b"rset\r\n"
    assert failure.text == "The server takes messages of up to 1000 bytes, this one has 1200."
    verdict = judge(failure.phase, failure.code, failure.enhanced_code, failure.text)
    assert (verdict.scope, verdict.outcome) == ("content", "failed")
