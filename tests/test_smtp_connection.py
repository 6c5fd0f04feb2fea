"""One conversation over a real server: in which phase it fails, and what the connection is then good for."""

from contextlib import closing

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.client import BoundedSmtp
from accounts.connection import SmtpConnection, SmtpFailure
from accounts.models import SmtpAccount
from config.demo.smtp_server import Action, LocalSmtpServer

MAIL = b"Subject: Hello\r\n\r\nDear you\r\n"
FROM, TO, NEXT = "news@sender.example", "person1@example.com", "person2@example.com"
PASSWORD = "Xq7-never-shown"


class Script:
    """Answers by phase for mails to TO; counts what was asked."""

    def __init__(self):
        self.answers = {}
        self.asked = []

    def __call__(self, phase, login, rcpt):
        self.asked.append(phase)
        if rcpt == NEXT:
            return None
        return self.answers.get(phase)


@pytest.fixture
def script():
    return Script()


@pytest.fixture
def server(script):
    with LocalSmtpServer({"me": PASSWORD}, script=script) as server:
        yield server


@pytest.fixture
def connection(server):
    with closing(SmtpConnection(account_on(server.port))) as connection:
        yield connection


def account_on(port: int, **fields) -> SmtpAccount:
    defaults = {
        "email": FROM,
        "host": "127.0.0.1",
        "security": "none",
        "username": "me",
        "password": PASSWORD,
    }
    return SmtpAccount(name="one", port=port, **{**defaults, **fields})


def hand_over(connection: SmtpConnection, to: str = TO):
    if not connection.is_open:
        connection.open()
    return connection.send(FROM, to, MAIL)


def failure_of(connection: SmtpConnection, to: str = TO) -> SmtpFailure:
    with pytest.raises(SmtpFailure) as failed:
        hand_over(connection, to)
    return failed.value


def test_a_mail_is_taken_over_and_the_reply_that_took_it_is_returned(server, connection):
    connection.open()
    reply = connection.send(FROM, TO, MAIL)
    assert (reply.code, reply.enhanced_code, reply.text) == (250, "2.0.0", "OK: taken over")
    [received] = server.received
    assert (received.login, received.mail_from, received.rcpt, received.raw) == ("me", FROM, TO, MAIL)


@pytest.mark.parametrize(
    ("phase", "reply", "expected"),
    [
        ("connect", "554 5.3.2 Not today", ("connect", 554, "5.3.2", "Not today")),
        ("connect", "421 Too busy", ("connect", 421, "", "Too busy")),
        ("auth", "454 4.7.0 Too many log-ins", ("auth", 454, "4.7.0", "Too many log-ins")),
        ("auth", "535 5.7.8 Wrong", ("auth", 535, "5.7.8", "Wrong")),
        ("mail", "451 4.3.0 Later", ("mail", 451, "4.3.0", "Later")),
        ("rcpt", "550 5.1.1 Unknown", ("rcpt", 550, "5.1.1", "Unknown")),
        ("rcpt", "550 Unknown", ("rcpt", 550, "", "Unknown")),
        ("data", "452 4.3.1 Full", ("data", 452, "4.3.1", "Full")),
        ("dot", "550 5.4.5 Daily limit", ("dot", 550, "5.4.5", "Daily limit")),
        ("dot", "354 What?", ("dot", 354, "", "What?")),
    ],
)
def test_a_refusal_names_its_phase_codes_and_text(script, connection, phase, reply, expected):
    script.answers[phase] = reply
    failure = failure_of(connection)
    assert (failure.phase, failure.code, failure.enhanced_code, failure.text) == expected
    assert not failure.after_dot


@pytest.mark.parametrize("phase", ["mail", "rcpt", "dot"])
def test_after_a_refusal_the_same_connection_serves_the_next_mail(server, script, connection, phase):
    script.answers[phase] = "550 5.7.1 No"
    failure_of(connection)
    assert connection.is_open
    script.answers.clear()
    connection.send(FROM, NEXT, MAIL)
    assert [received.rcpt for received in server.received] == [NEXT]
    assert (script.asked.count("connect"), script.asked.count("auth")) == (1, 1)


@pytest.mark.parametrize("phase", ["connect", "auth", "mail", "rcpt"])
def test_a_connection_lost_before_the_dot_was_not_after_it(server, script, connection, phase):
    script.answers[phase] = Action.DROP
    failure = failure_of(connection)
    assert (failure.phase, failure.code, failure.after_dot) == (phase, None, False)
    assert not connection.is_open
    assert not server.received


@pytest.mark.parametrize(("action", "kept"), [(Action.DROP, 0), (Action.KEEP_AND_DROP, 1)])
def test_a_connection_lost_at_the_dot_may_have_handed_the_mail_over(server, script, connection, action, kept):
    script.answers["dot"] = action
    failure = failure_of(connection)
    assert (failure.phase, failure.code, failure.after_dot) == ("dot", None, True)
    assert not connection.is_open
    assert len(server.received) == kept


@pytest.mark.parametrize(("phase", "after_dot"), [("connect", False), ("mail", False), ("dot", True)])
def test_a_server_that_answers_nothing_is_left(server, script, phase, after_dot):
    script.answers[phase] = Action.STALL
    failure = failure_of(SmtpConnection(account_on(server.port), timeout=1))
    assert (failure.phase, failure.text) == (phase, "The server took too long to answer.")
    assert failure.after_dot is after_dot


def test_a_closed_connection_can_be_opened_again(server, connection):
    assert failure_of_closed(connection) == "The connection is closed."
    for _ in range(2):
        connection.open()
        connection.send(FROM, TO, MAIL)
        connection.close()
        connection.close()
    assert len(server.received) == 2


def failure_of_closed(connection: SmtpConnection) -> str:
    with pytest.raises(SmtpFailure) as failed:
        connection.send(FROM, TO, MAIL)
    return failed.value.text


def test_a_refused_password_is_tried_once_and_never_told(script, connection, caplog):
    caplog.set_level("DEBUG")
    script.answers["auth"] = "535 5.7.8 Wrong"
    failure = failure_of(connection)
    assert script.asked.count("auth") == 1
    assert PASSWORD not in f"{failure!r} {failure} {vars(connection)} {caplog.text}"


def test_a_password_beyond_ascii_logs_in():
    with LocalSmtpServer({"mé": "pässwörd"}) as server:
        account = account_on(server.port, username="mé", password="pässwörd")
        with closing(SmtpConnection(account)) as connection:
            hand_over(connection)
        assert server.received[0].login == "mé"


@pytest.mark.parametrize(
    "address",
    ["a@b.example\r\nRCPT TO:<evil@example.com>", "a\n@example.com", "a\0@example.com",
     "a@example.com> SIZE=1", "<a@example.com>"],
)  # fmt: skip
def test_what_is_no_address_never_reaches_the_server(server, connection, address):
    failure = failure_of(connection, address)
    assert (failure.phase, failure.code, failure.enhanced_code) == ("rcpt", 553, "5.1.3")
    assert hand_over(connection, NEXT).code == 250
    assert [received.rcpt for received in server.received] == [NEXT]


@pytest.mark.parametrize(
    ("address", "travels_as"),
    [
        ("first.last+tag@example.com", "first.last+tag@example.com"),
        ('"two words"@example.com', '"two words"@example.com'),
        ("o'hara@bücher.example", "o'hara@xn--bcher-kva.example"),
    ],
)
def test_an_address_travels_as_it_is_with_its_domain_in_ascii(server, connection, address, travels_as):
    hand_over(connection, address)
    assert server.received[0].rcpt == travels_as


lines = st.lists(
    st.one_of(
        st.binary(max_size=20),
        st.sampled_from([b".", b"..", b".\r", b"", b".x", b"\r\n.\r\n", b"\n.\n", b"\r.\r", b"QUIT"]),
    ),
    max_size=8,
)


@pytest.fixture(scope="module")
def open_connection():
    with LocalSmtpServer() as server:
        connection = SmtpConnection(account_on(server.port, username="", password=""))
        connection.open()
        yield server, connection
        connection.close()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=lines.map(b"\r\n".join))
def test_any_bytes_arrive_as_they_are_but_for_line_ends(open_connection, body):
    server, connection = open_connection
    connection.send(FROM, TO, body)
    expected = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n")
    if not expected.endswith(b"\r\n"):
        expected += b"\r\n"
    assert server.received[-1].raw == expected


def test_a_large_mail_arrives_whole(server, connection):
    connection.open()
    mail = MAIL + (b"." + b"x" * 70 + b"\r\n") * 100_000
    connection.send(FROM, TO, mail)
    assert server.received[0].raw == mail


def test_a_time_out_a_moment_after_the_dot_was_written_leaves_it_in_doubt(server, connection, monkeypatch):
    """A worker that has to end is cut anywhere, by what a client takes for a time-out."""

    def write(self, data):
        write_whole(self, data)
        if data == b".\r\n":
            raise TimeoutError

    write_whole = BoundedSmtp.write
    monkeypatch.setattr(BoundedSmtp, "write", write)
    failure = failure_of(connection)
    assert (failure.phase, failure.after_dot) == ("dot", True)
