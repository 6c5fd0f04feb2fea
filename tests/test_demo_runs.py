"""The demonstration, end to end, as `make demo` runs it without a terminal."""

import os
import re
import subprocess
import sys
from email.parser import BytesHeaderParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.acceptance
def test_the_demonstration_sends_all_that_the_limits_allow_and_ends_by_itself(tmp_path):
    tmp_path.chmod(0o755)
    ended = subprocess.run(
        [sys.executable, "-m", "config.demo"],
        cwd=ROOT,
        env={**os.environ, "BATCHWISE_VAR": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Queued 400 emails for sending" in ended.stdout
    assert re.search(r"^  sent +240$", ended.stdout, re.MULTILINE)
    assert re.search(r"^  waiting +160$", ended.stdout, re.MULTILINE)
    assert "160 waiting: 3 accounts have used their 24 h limit" in ended.stdout
    received = [BytesHeaderParser().parsebytes(p.read_bytes()) for p in tmp_path.glob("demo/mail/*.eml")]
    assert len(received) == len({message["X-Rcpt-To"] for message in received}) == 240
    assert not (tmp_path / "demo" / "postgres" / "postmaster.pid").exists()
