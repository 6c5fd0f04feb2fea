"""The oracle as the run sees it: a process, its ports, and what it can be told to do."""

import signal
import subprocess
from pathlib import Path

from config.chaos.misbehaviour import ACCEPTED_UNTOLD
from config.chaos.options import Options
from config.processes import launch, wait_until

STARTS_WITHIN = 20.0  # seconds


class OracleProcess:
    """Runs from when it is made until end(). port: of SMTP; imap_port: of its Sent folders, or None."""

    def __init__(self, options: Options, folder: Path):
        self.log = folder / "oracle.log"
        command = ["-m", "config.chaos.oracle", "--folder", str(folder), "--seed", str(options.seed)]
        command += ["--intensity", str(options.intensity)]
        command += ["--dovecot"] * options.has_dovecot
        with (folder / "oracle.out").open("ab") as out:
            self._process: subprocess.Popen[bytes] = launch(*command, log=out)
        if not wait_until((folder / "port").exists, STARTS_WITHIN):
            self._process.kill()
            raise SystemExit(f"The oracle did not start: see {folder / 'oracle.out'}.")
        self.port = int((folder / "port").read_text())
        self.imap_port = int((folder / "imap").read_text()) if options.has_dovecot else None

    def be_calm(self) -> None:
        """From now on it behaves."""
        self._process.send_signal(signal.SIGUSR1)

    def accept_untold(self, within: float) -> bool:
        """Has it accept the next message and tell nobody; whether one came within so many seconds."""
        before = self._accepted_untold()
        self._process.send_signal(signal.SIGUSR2)
        return wait_until(lambda: self._accepted_untold() > before, within)

    def _accepted_untold(self) -> int:
        return self.log.read_text().count(ACCEPTED_UNTOLD.kind)

    def end(self) -> None:
        self._process.terminate()
        self._process.wait()
