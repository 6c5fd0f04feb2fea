"""A real SMTP server on loopback: checks log-ins, keeps what it receives, answers as told.

For the demonstration (`python -m config.demo.smtp_server --help`) and for the tests.
"""

import argparse
import asyncio
import logging
import os
import ssl
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

logging.getLogger("mail.log").setLevel(logging.ERROR)  # aiosmtpd's; it names addresses
# On loopback a log-in without TLS is what is wanted.
warnings.filterwarnings("ignore", "Requiring AUTH while not requiring TLS")


class Action(Enum):
    """What a script may want instead of a reply."""

    DROP = "drop"  # the connection, now
    KEEP_AND_DROP = "keep and drop"  # at the dot: keep the message, then drop before answering
    KEEP_AND_STALL = "keep and stall"  # at the dot: keep the message, then answer nothing
    CUT = "cut"  # at data: ask for the message, then drop before its dot came
    STALL = "stall"  # answer nothing for as long as the server lives
    SLOW = "slow"  # wait for `slowness` seconds, then go on


# (phase, login, recipient) -> a reply such as "550 5.1.1 No such user", an Action, or None: go on.
# Phases: connect, auth, mail, rcpt, data (before 354), dot (after the message came in).
Script = Callable[[str, str, str], "str | Action | None"]


@dataclass(frozen=True)
class Received:
    """One message that the server took over: at is time.time() of the acceptance."""

    login: str
    mail_from: str
    rcpt: str
    raw: bytes
    at: float = field(default_factory=time.time)


class LocalSmtpServer:
    """The server, in a thread of its own while the context lasts.

    accounts: user name to password, None: anybody, without log-in. port 0: any free one. directory:
    where each message is also written as .eml, on disk before it is accepted. quota: most messages
    per log-in, for all or by log-in, then refused as Gmail does. tls with implicit=False is offered as
    STARTTLS.
    """

    slowness = 1.0  # seconds

    def __init__(
        self,
        accounts: Mapping[str, str] | None = None,
        *,
        port: int = 0,
        directory: Path | None = None,
        quota: int | Mapping[str, int] | None = None,
        script: Script | None = None,
        tls: ssl.SSLContext | None = None,
        implicit: bool = False,
    ):
        self.accounts = accounts
        self.directory = directory
        self.quota = quota
        self.script: Script | None = script
        self.received: list[Received] = []
        self.accepted_by_login: Counter[str] = Counter()
        self.released = threading.Event()
        self._options = {
            "hostname": "localhost",
            "authenticator": self._authenticate,
            "auth_required": accounts is not None,
            "auth_require_tls": accounts is None,  # so that without accounts no log-in is offered
        }
        self._starttls = None if implicit else tls
        self._loop = asyncio.new_event_loop()
        listen = self._loop.create_server(
            self._serve_connection, "127.0.0.1", port, ssl=tls if implicit else None
        )
        # In a thread: the caller's may have a loop of its own that runs.
        with ThreadPoolExecutor(1) as thread:
            self._server = thread.submit(self._loop.run_until_complete, listen).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    def _serve_connection(self) -> "_Smtp":
        context = self.starttls_context()
        return _Smtp(_Handler(self), self, loop=self._loop, tls_context=context, **self._options)

    def starttls_context(self) -> ssl.SSLContext | None:
        """What the next connection is offered as STARTTLS; None: nothing."""
        return self._starttls

    def __enter__(self) -> "LocalSmtpServer":
        if self.directory:
            self.directory.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    async def _end(self) -> None:
        self._server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
    ) -> AuthResult:
        login, password = data.login.decode(), data.password.decode()
        answer = self.answer("auth", login)
        if isinstance(answer, Action):
            return AuthResult(success=False, handled=True, message=_drop(server))
        if answer:
            return AuthResult(success=False, handled=False, message=answer)
        if (self.accounts or {}).get(login) != password:
            refusal = "535 5.7.8 Username and Password not accepted"
            return AuthResult(success=False, handled=False, message=refusal)
        return AuthResult(success=True, auth_data=login)

    def answer(self, phase: str, login: str, rcpt: str = "", raw: bytes = b"") -> "str | Action | None":
        """What the script wants in this phase; None: what a server does. raw: the message, at the dot."""
        return self.script(phase, login, rcpt) if self.script else None

    def is_used_up(self, login: str) -> bool:
        """Whether this log-in has no quota left."""
        quota = self.quota.get(login) if isinstance(self.quota, Mapping) else self.quota
        return quota is not None and self.accepted_by_login[login] >= quota

    def keep(self, login: str, envelope: Envelope, rcpt: str) -> None:
        """Takes a message over: in memory, and on disk where there is a directory."""
        raw = envelope.original_content or b""
        message = Received(login, envelope.mail_from or "", rcpt, raw)
        if self.directory:
            _write_durably(self.directory, message)
        self.received.append(message)
        self.accepted_by_login[login] += 1


def _write_durably(directory: Path, message: Received) -> None:
    name = f"{message.at:.6f}-{uuid4().hex[:8]}"
    unfinished = directory / f"{name}.tmp"
    with unfinished.open("wb") as file:
        head = (
            f"X-Login: {message.login}\r\nX-Mail-From: {message.mail_from}\r\nX-Rcpt-To: {message.rcpt}\r\n"
        )
        file.write(head.encode() + message.raw)
        file.flush()
        os.fsync(file.fileno())
    unfinished.rename(directory / f"{name}.eml")


class _Smtp(SMTP):
    """aiosmtpd's protocol, with a script at the greeting and before a message is asked for."""

    def __init__(self, handler: Any, owner: LocalSmtpServer, **options: Any):
        self.owner = owner
        super().__init__(handler, **options)

    async def push(self, status: Any) -> None:
        """Sends a reply; the greeting is the first one, and the script may change it."""
        if not getattr(self, "greeted", False):
            self.greeted = True
            answer = await _perform(self, self.owner, self.owner.answer("connect", ""))
            if self.transport is None or self.transport.is_closing():
                return
            status = answer or status
        await super().push(status)

    async def smtp_DATA(self, arg: str) -> None:
        """Asks for the message, where the script has nothing else in mind."""
        assert self.session is not None
        assert self.envelope is not None
        rcpt = next(iter(self.envelope.rcpt_tos), "")
        answer = self.owner.answer("data", _login(self.session), rcpt)
        if answer is Action.CUT:
            await self.push("354 End data with <CR><LF>.<CR><LF>")
        if answer := await _perform(self, self.owner, answer):
            await self.push(answer)
        else:
            await super().smtp_DATA(arg)


class _Handler:
    def __init__(self, owner: LocalSmtpServer):
        self.owner = owner

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := await self._scripted(server, "mail", session):
            return refusal
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if refusal := await self._scripted(server, "rcpt", session, address):
            return refusal
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        login, rcpt = _login(session), envelope.rcpt_tos[0]
        answer = self.owner.answer("dot", login, rcpt, envelope.original_content or b"")
        if answer in (Action.KEEP_AND_DROP, Action.KEEP_AND_STALL):
            self.owner.keep(login, envelope, rcpt)
        if answer := await _perform(server, self.owner, answer):
            return answer
        if self.owner.is_used_up(login):
            return "550 5.4.5 Daily user sending limit exceeded"
        for address in envelope.rcpt_tos:
            self.owner.keep(login, envelope, address)
        return "250 2.0.0 OK: taken over"

    async def _scripted(self, server: SMTP, phase: str, session: Session, rcpt: str = "") -> str | None:
        return await _perform(server, self.owner, self.owner.answer(phase, _login(session), rcpt))


def _login(session: Session) -> str:
    return str(session.auth_data) if session.auth_data else ""


async def _perform(server: SMTP, owner: LocalSmtpServer, answer: str | Action | None) -> str | None:
    """Does what the script wants; returns the reply to give, None: that of a server that is well."""
    if answer is Action.SLOW:
        await asyncio.sleep(owner.slowness)
        return None
    while answer in (Action.STALL, Action.KEEP_AND_STALL) and not owner.released.is_set():
        await asyncio.sleep(0.05)
    return _drop(server) if isinstance(answer, Action) else answer


def _drop(server: SMTP) -> str:
    assert server.transport is not None
    server.transport.abort()
    return "421 4.3.0 Dropped"


def main(arguments: list[str] | None = None) -> None:
    """Runs the server until it is told to end."""
    parser = argparse.ArgumentParser(description="A local SMTP server that keeps what it receives.")
    parser.add_argument("--port", type=int, default=2525)
    parser.add_argument("--accounts", default="", help="user:password,user:password; empty: no log-in")
    parser.add_argument("--directory", type=Path, required=True, help="where messages are kept as .eml")
    parser.add_argument("--quota", type=int, help="most messages per log-in")
    options = parser.parse_args(arguments)
    accounts = dict(pair.split(":", 1) for pair in options.accounts.split(",") if pair)
    server = LocalSmtpServer(
        accounts or None, port=options.port, directory=options.directory, quota=options.quota
    )
    with server:
        print(f"SMTP server on 127.0.0.1:{server.port}", flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
