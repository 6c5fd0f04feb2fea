"""A real Dovecot (2.3) on loopback, with Sent folders into which it can be told to file copies."""

import grp
import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from imap_tools.imap_utf7 import utf7_encode

BINARY = "/usr/sbin/dovecot"
MAIL_USER = "nobody"  # when it is started by root

CONFIG = """
base_dir = {home}/run
state_dir = {home}/run
log_path = {home}/log
ssl = {ssl}
{certificate}
{users}
protocols = imap
listen = 127.0.0.1
auth_failure_delay = 0
auth_mechanisms = plain login
auth_username_format = %u
first_valid_uid = 1
mail_max_userip_connections = 0
mail_location = maildir:~/Maildir
imap_capability = {capability}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {home}/passwords
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={home}/mail/%u
}}
namespace inbox {{
  inbox = yes
  separator = {separator}
  prefix = {prefix}
  {mailboxes}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = {implicit}
  }}
}}
service stats {{
  chroot =
}}
"""


def is_installed() -> bool:
    """Whether this machine has Dovecot and its IMAP server (Debian: dovecot-imapd)."""
    return Path(BINARY).exists() and Path("/usr/lib/dovecot/imap").exists()


class Dovecot:
    """IMAP for these users (name: password) while the with-block lasts: on .port, and on .tls_port with TLS.

    sent: the Sent folder as a client names it, or several; they are made at once. special_use: whether
    they are marked \\Sent (RFC 6154). prefix: of all folders but INBOX, such as "INBOX."; its last
    character then separates levels. certificate: PEM files of certificate chain and key; without them
    there is no TLS. capability: what the server says more of what it can do.
    """

    def __init__(
        self,
        users: dict[str, str],
        *,
        sent: str | tuple[str, ...] = "Sent",
        special_use: bool = True,
        prefix: str = "",
        certificate: tuple[Path, Path] | None = None,
        capability: str = "",
    ):
        self.users, self.prefix = users, prefix
        self.folders = (sent,) if isinstance(sent, str) else sent
        self.separator = prefix[-1:] or "/"
        self.special_use, self.certificate, self.capability = special_use, certificate, capability
        self.port, self.tls_port = _free_ports(2)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "Dovecot":
        self.home = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.home.chmod(0o755)  # its processes run as several users
        try:
            self._write_files()
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)

    def start(self) -> None:
        """Starts it, also again after stop(), and waits until it greets."""
        self._process = subprocess.Popen([BINARY, "-F", "-c", str(self.home / "dovecot.conf")])
        ends = time.monotonic() + 20
        while not self._greets():
            if time.monotonic() > ends or self._process.poll() is not None:
                raise RuntimeError(f"Dovecot does not start:\n{self.log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stops it; what it keeps stays."""
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            process.wait(20)

    @property
    def log(self) -> str:
        with suppress(OSError):
            return (self.home / "log").read_text(errors="replace")
        return ""

    def file_sent(self, user: str, message: bytes, folder: str | None = None) -> None:
        """Puts a copy of an accepted message into the user's (first) Sent folder, as Gmail does.

        It is there whole or not at all, and outlasts a crash: Maildir's tmp, then new.
        """
        maildir = self._maildir(user, folder or self.folders[0])
        name = f"{time.time_ns()}.{uuid4().hex}.localhost"
        temporary = maildir / "tmp" / name
        with temporary.open("wb") as file:
            file.write(message)
            file.flush()
            os.fsync(file.fileno())
        self._give(temporary)
        temporary.rename(maildir / "new" / name)

    def _maildir(self, user: str, folder: str) -> Path:
        """A folder's directory (Maildir++), made where it is not there yet."""
        inner = folder.removeprefix(self.prefix).replace(self.separator, ".")
        maildir = self.home / "mail" / user / "Maildir" / f".{utf7_encode(inner).decode()}"
        for part in ("cur", "new", "tmp"):
            (maildir / part).mkdir(parents=True, exist_ok=True)
        for made in (maildir, *maildir.parents):
            if made == self.home:
                break
            self._give(made)
        for part in ("cur", "new", "tmp"):
            self._give(maildir / part)
        return maildir

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            shutil.chown(path, MAIL_USER, grp.getgrgid(pwd.getpwnam(MAIL_USER).pw_gid).gr_name)

    def _write_files(self) -> None:
        self._write_passwords()
        for user in self.users:
            for folder in self.folders:
                self._maildir(user, folder)
        (self.home / "dovecot.conf").write_text(CONFIG.format(**self._words()))

    def _write_passwords(self) -> None:
        file = self.home / "passwords"
        new = self.home / "passwords.new"
        new.write_text("".join(f"{user}:{password}\n" for user, password in self.users.items()))
        new.replace(file)

    def _words(self) -> dict[str, Any]:
        is_root = os.geteuid() == 0
        mail = pwd.getpwnam(MAIL_USER) if is_root else pwd.getpwuid(os.geteuid())
        certificate = ""
        if self.certificate:
            chain, key = self.certificate
            certificate = f"ssl_cert = <{chain}\nssl_key = <{key}"
        return {
            "home": self.home, "port": self.port, "tls_port": self.tls_port if self.certificate else 0,
            "ssl": "yes" if self.certificate else "no", "implicit": "yes" if self.certificate else "no",
            "certificate": certificate, "users": "" if is_root else _own_user(mail.pw_name, mail.pw_gid),
            "uid": mail.pw_uid, "gid": mail.pw_gid,
            "separator": self.separator, "prefix": self.prefix,
            "capability": f"+{self.capability}" if self.capability else "",
            "mailboxes": "\n".join(self._mailbox(folder) for folder in self.folders),
        }  # fmt: skip

    def _mailbox(self, folder: str) -> str:
        use = "special_use = \\Sent" if self.special_use else ""
        return f'mailbox "{folder.removeprefix(self.prefix)}" {{\n    auto = subscribe\n    {use}\n  }}'

    def _greets(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 1) as client:
                return client.recv(4) == b"* OK"
        except OSError:
            return False


def _own_user(name: str, gid: int) -> str:
    """All processes as the user who starts it, who can't become another one."""
    group = grp.getgrgid(gid).gr_name
    return f"default_internal_user = {name}\ndefault_internal_group = {group}\ndefault_login_user = {name}"


def _free_ports(count: int) -> list[int]:
    """Ports below those that the system gives to clients, so that none of these takes one meanwhile."""
    free: list[int] = []
    while len(free) < count:
        port = random.randrange(20_000, 32_000)  # noqa: S311
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            free.append(port)
    return free
