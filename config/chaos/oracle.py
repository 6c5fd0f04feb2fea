"""The oracle: an SMTP server in a process of its own, which outlives all faults and forgets nothing.

What it accepted is on disk before it says so; what it does wrong follows a seeded plan, and is in the
same log. SIGUSR1 makes it behave. `python -m config.chaos.oracle --help`.
"""

import argparse
import json
import signal
import ssl
import threading
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from email.parser import BytesHeaderParser
from pathlib import Path

import trustme
from aiosmtpd.smtp import Envelope

from config.chaos.dovecot import Dovecot
from config.chaos.misbehaviour import Plan, Rule
from config.chaos.oracle_log import OracleLog
from config.demo.smtp_server import Action, LocalSmtpServer


class Oracle(LocalSmtpServer):
    """Keeps a ledger of its own, and copies in Sent folders where there are any.

    Shows a stranger's certificate where the plan wants it.
    """

    dovecot: Dovecot | None = None

    def __init__(
        self, accounts: Mapping[str, str], log: OracleLog, plan: Plan, folder: Path, **options: object
    ):
        self.log, self.plan = log, plan
        self._right, self._wrong = _certificates(folder)
        super().__init__(accounts, **options)  # type: ignore[arg-type]

    def starttls_context(self) -> ssl.SSLContext:
        if rule := self.plan.choose("certificate", ""):
            self.log.did(rule.kind)
            return self._wrong
        return self._right

    def answer(self, phase: str, login: str, rcpt: str = "", raw: bytes = b"") -> str | Action | None:
        rule = self.plan.choose(phase, rcpt or login)
        if rule is None:
            return None
        self._note(rule, login, rcpt, raw)
        return rule.answer

    def _note(self, rule: Rule, login: str, rcpt: str, raw: bytes) -> None:
        message_id = _headers(raw)[0] if raw else ""
        self.log.did(rule.kind, login, rcpt, message_id, is_ambiguous=rule.is_ambiguous)

    def is_used_up(self, login: str) -> bool:
        used_up = super().is_used_up(login)
        if used_up:
            self.log.did("550 5.4.5 quota used up", login)
        return used_up

    def keep(self, login: str, envelope: Envelope, rcpt: str) -> None:
        """Takes a message over: it is on disk when this returns."""
        message_id, campaign = _headers(envelope.original_content or b"")
        self.log.accepted(login, message_id, rcpt, campaign)
        if self.dovecot:
            self.dovecot.file_sent(login, envelope.original_content or b"")
        self.accepted_by_login[login] += 1


def _headers(raw: bytes) -> tuple[str, str]:
    """Message-ID, and the first word of the subject: the campaign."""
    headers = BytesHeaderParser().parsebytes(raw)
    return str(headers["Message-ID"]), str(headers["Subject"]).partition(" ")[0]


def _certificates(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The right one, whose authority is written to ca.pem, and that of a stranger."""
    contexts = []
    for name in ("ca.pem", "stranger.pem"):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(folder / name))
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        contexts.append(context)
    return contexts[0], contexts[1]


def main(arguments: list[str] | None = None) -> None:
    """Runs the oracle until it is told to end; writes its port to FOLDER/port."""
    parser = argparse.ArgumentParser(description="An SMTP server that logs what it accepted.")
    parser.add_argument("--folder", type=Path, required=True, help="of accounts.json, and for the log")
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--intensity", type=float, default=1.0, help="a factor on how often it misbehaves")
    parser.add_argument(
        "--dovecot", action="store_true", help="with Sent folders, on the port in FOLDER/imap"
    )
    options = parser.parse_args(arguments)
    known = json.loads((options.folder / "accounts.json").read_text())
    plan = Plan(options.seed, options.intensity)
    signal.signal(signal.SIGUSR1, lambda *_: setattr(plan, "is_calm", True))
    signal.signal(signal.SIGUSR2, lambda *_: setattr(plan, "is_kill_coming", True))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    log = OracleLog(options.folder / "oracle.log")
    with ExitStack() as stack:
        oracle = Oracle(known["passwords"], log, plan, options.folder, quota=known["quotas"])
        if options.dovecot:
            oracle.dovecot = stack.enter_context(Dovecot(known["passwords"]))
            _tell(options.folder / "imap", oracle.dovecot.port)
        stack.enter_context(oracle)
        _tell(options.folder / "port", oracle.port)
        with suppress(KeyboardInterrupt):
            threading.Event().wait()


def _tell(path: Path, port: int) -> None:
    """Writes the port; the file is there whole or not at all."""
    draft = path.with_suffix(".new")
    draft.write_text(str(port))
    draft.rename(path)


if __name__ == "__main__":
    main()
