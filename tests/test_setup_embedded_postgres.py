"""The embedded PostgreSQL starts wherever it is, whatever happened to it before."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest

from config import embedded_postgres

ROOT = Path(__file__).parent.parent
START = "import sys, pathlib; from config import embedded_postgres as e; e.start(pathlib.Path(sys.argv[1]))"


@pytest.fixture
def folder():
    """A folder that a server of another user may reach, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="batchwise-test-")).resolve()
    servers = [folder / "postgres"]
    yield folder
    servers += folder.rglob("postgres")
    for data in servers:
        embedded_postgres.stop(data)
    shutil.rmtree(folder)


def rows(data: Path) -> int:
    """Starts the server if need be, adds a row, and counts them all."""
    found = embedded_postgres.start(data)
    with psycopg.connect(
        host=found["HOST"], user=found["USER"], dbname=found["NAME"], autocommit=True
    ) as server:
        server.execute("CREATE TABLE IF NOT EXISTS row (n int)")
        server.execute("INSERT INTO row VALUES (1)")
        count = server.execute("SELECT count(*) FROM row").fetchone()
    assert count is not None
    return count[0]


def pid(data: Path) -> int:
    return int((data / "postmaster.pid").read_text().split()[0])


def test_data_are_still_there_after_stop_and_start(folder):
    assert rows(folder / "postgres") == 1
    assert embedded_postgres.stop(folder / "postgres") is True
    assert embedded_postgres.stop(folder / "postgres") is False
    assert rows(folder / "postgres") == 2


def test_it_starts_again_after_kill_9(folder):
    data = folder / "postgres"
    rows(data)
    os.kill(pid(data), signal.SIGKILL)
    assert rows(data) == 2


def test_it_starts_when_another_process_has_the_killed_ones_pid(folder):
    data = folder / "postgres"
    rows(data)
    embedded_postgres.stop(data)
    (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n5432\n{data}\n\n\nready\n")
    assert rows(data) == 2


def test_it_starts_when_a_lock_file_was_half_written(folder):
    data = folder / "postgres"
    rows(data)
    embedded_postgres.stop(data)
    (data / "postmaster.pid").write_text("")
    assert rows(data) == 2


def test_many_may_start_it_at_once(folder):
    data = folder / "postgres"
    starters = [subprocess.Popen([sys.executable, "-c", START, str(data)], cwd=ROOT) for _ in range(4)]
    assert [starter.wait(90) for starter in starters] == [0, 0, 0, 0]
    assert rows(data) == 1


@pytest.mark.parametrize(
    "name", ["with spaces", 'o\'clock, "$HOME"', "long" * 40], ids=["spaces", "odd", "long"]
)
def test_any_path_will_do(folder, name):
    data = folder / name / "postgres"
    assert rows(data) == 1
    sockets = Path(embedded_postgres.start(data)["HOST"])
    embedded_postgres.stop(data)
    assert sockets == data or not sockets.exists()
    assert rows(data) == 2


def test_upper_and_lower_case_are_known_beyond_ascii(folder):
    found = embedded_postgres.start(folder / "postgres")
    with psycopg.connect(host=found["HOST"], user=found["USER"], dbname=found["NAME"]) as server:
        assert server.execute("SELECT lower('ÄÖÜÉ')").fetchone() == ("äöüé",)
