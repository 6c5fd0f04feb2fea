"""Servers that answer anything at any time: no mail counts as sent but by a true answer to its dot."""

import re
import socket
import time
import tracemalloc
from contextlib import closing, suppress
from dataclasses import dataclass, field

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from accounts.client import MAX_LINE, MAX_REPLY_LINES
from accounts.connection import SmtpConnection, SmtpFailure
from accounts.models import SmtpAccount
from accounts.phases import Phase
from accounts.reply import SmtpReply
from sending.judge import judge
from tests.odd_server import odd_server

UNIT = 0.15  # seconds: the unit of the time-outs; a server that stays silent costs as much
USUAL = {
    "connect": b"220 odd\r\n", "ehlo": b"250-odd\r\n250 AUTH PLAIN\r\n", "auth": b"235 ok\r\n",
    "mail": b"250 ok\r\n", "rcpt": b"250 ok\r\n", "data": b"354 go\r\n", "dot": b"250 taken\r\n",
    "rset": b"250 ok\r\n", "quit": b"221 bye\r\n",
}  # fmt: skip
VERBS = {b"EHLO": "ehlo", b"HELO": "ehlo", b"AUTH": "auth", b"MAIL": "mail", b"RCPT": "rcpt", b"DATA": "data",
         b"RSET": "rset", b"QUIT": "quit"}  # fmt: skip
WHOLE_REPLY = re.compile(rb"(?:[^\n]{3}-[^\n]*\n)*[^\n]{3}(?!-)[^\n]*\n")
TAKEN = re.compile(rb"(?:250-[^\n]*\n)*250[ \r\n]")


@dataclass
class Answer:
    """What a server says to one command: split after `cut` bytes; then it may hang up, or never end."""

    said: bytes
    cut: int = 0
    then: str = "listen"


@dataclass
class OddServer:
    """Keeps to the commands it is given, but for these answers; remembers what it said to each dot."""

    answers: dict[str, Answer]
    answered_dots: dict[str, bytes] = field(default_factory=dict)

    def __call__(self, caller: socket.socket) -> None:
        self._rcpt = ""
        with caller.makefile("rb") as lines:
            if not self._answer(caller, "connect"):
                return
            while line := lines.readline():
                step = VERBS.get(line[:4].upper(), "mail")
                if step == "rcpt":
                    self._rcpt = line.decode("latin-1")[9:-3]
                if not self._answer(caller, step):
                    return
                if step == "data" and self._said("data").startswith(b"354"):
                    while (line := lines.readline()) != b".\r\n":
                        if not line:
                            return
                    self.answered_dots[self._rcpt] = self._said("dot")
                    if not self._answer(caller, "dot"):
                        return

    def _said(self, step: str) -> bytes:
        return self.answers[step].said if step in self.answers else USUAL[step]

    def _answer(self, caller: socket.socket, step: str) -> bool:
        answer = self.answers.get(step, Answer(USUAL[step]))
        # Only the first reply is cut in pieces: one that came ahead of its command, but later than the
        # look for it, could be told from an answer by nobody.
        whole = WHOLE_REPLY.match(answer.said)
        cut = min(answer.cut, whole.end() - 1 if whole else len(answer.said))
        for part in (answer.said[:cut], answer.said[cut:]):
            if part:
                caller.sendall(part)
                time.sleep(0.002 if cut else 0)
        while answer.then == "go on for ever":
            caller.sendall(answer.said or b"x")
        return answer.then == "listen"


codes = st.sampled_from(
    [b"220", b"235", b"250", b"251", b"334", b"354", b"421", b"450", b"550", b"554", b"000"]
)
texts = st.sampled_from([b"", b"ok", b"5.1.1 gone", b"2.0.0 ok", b"\x00\xff", b"x" * 600, "grüß".encode()])
lines = st.builds(
    lambda code, mark, text, end: code + mark + text + end,
    codes,
    st.sampled_from([b" ", b"-", b""]),
    texts,
    st.sampled_from([b"\r\n", b"\r\n", b"\n", b""]),
)
says = st.one_of(st.lists(lines, min_size=1, max_size=4).map(b"".join), st.binary(max_size=40))
odd_answers = st.builds(
    Answer, says, st.integers(0, 12), st.sampled_from(["listen", "listen", "hang up", "go on for ever"])
)
plans = st.dictionaries(st.sampled_from(sorted(USUAL)), odd_answers, min_size=1, max_size=2)


@settings(max_examples=100)
@given(answers=plans)
@example({"data": Answer(b"354 go\r\n250 taken\r\n"), "dot": Answer(b"550 no\r\n")})
@example({"rcpt": Answer(b"250 ok\r\n354 go\r\n250 taken\r\n"), "dot": Answer(b"", then="hang up")})
@example({"dot": Answer(b"550-no\r\n250 yes\r\n")})
@example({"dot": Answer(b"250-yes\r\n550 no\r\n")})
@example({"dot": Answer(b"250-yes\r\n", then="hang up")})
@example({"dot": Answer(b"250 taken\r\n250 taken\r\n")})
@example({"dot": Answer(b"354 go\r\n")})
@example({"dot": Answer(b"450 later\r\n250 taken\r\n"), "rset": Answer(b"250 ok\r\n250 ok\r\n354 go\r\n")})
@example({"dot": Answer(b"25", cut=1)})
def test_a_mail_counts_as_sent_only_by_the_answer_to_its_dot(answers):
    server = OddServer(answers)
    with odd_server(server) as port:
        outcomes = outcomes_at(port)
    for rcpt, outcome in outcomes.items():
        check(outcome, server.answered_dots.get(rcpt))


def outcomes_at(port: int) -> dict[str, SmtpReply | SmtpFailure]:
    """How two mails over one connection end; nothing but these two may come out."""
    account = SmtpAccount(host="127.0.0.1", port=port, security="none", username="me", password="secret-word")
    outcomes: dict[str, SmtpReply | SmtpFailure] = {}
    with closing(SmtpConnection(account, timeout=UNIT)) as connection:
        for rcpt in ("b1@example.com", "b2@example.com"):
            try:
                if not outcomes:
                    connection.open()
                if connection.is_open:
                    outcomes[rcpt] = connection.send("a@example.com", rcpt, b"Hello\r\n.\r\nyou")
            except SmtpFailure as failure:
                outcomes[rcpt] = failure
    return outcomes


def check(outcome: SmtpReply | SmtpFailure, answered: bytes | None) -> None:
    """answered: what the server said to the mail's dot; None: it never saw one."""
    assert "secret-word" not in f"{outcome} {outcome!r}"
    if isinstance(outcome, SmtpReply):
        assert outcome.code == 250
        assert answered is not None
        assert TAKEN.match(answered)
        return
    verdict = judge(
        outcome.phase, outcome.code, outcome.enhanced_code, outcome.text, after_dot=outcome.after_dot
    )
    assert verdict.outcome != "sent"
    if answered is None:
        return
    assert outcome.phase == Phase.DOT
    assert outcome.after_dot is (outcome.code is None)
    refused = outcome.code is not None and 400 <= outcome.code <= 599
    assert refused or verdict.outcome == "uncertain"
    if refused:
        assert re.match(rb"(?:%d-[^\n]*\n)*%d[ \r\n]" % (outcome.code, outcome.code), answered)


@pytest.mark.parametrize("step", ["connect", "ehlo", "rcpt", "dot"])
@pytest.mark.parametrize("part", [b"x" * 65536, b"250-" + b"y" * 8000 + b"\r\n", b"250 ok\r\n" * 8192])
def test_whatever_a_server_pours_out_memory_stays_bounded(step, part):
    if part.startswith(b"250") and step == "connect":
        part = part.replace(b"250", b"220")
    with odd_server(OddServer({step: Answer(part, then="go on for ever")})) as port:
        tracemalloc.start()
        try:
            with suppress(SmtpFailure):
                outcomes_at(port)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert peak < 4 * MAX_LINE * MAX_REPLY_LINES
