"""`make run`: web and worker under one supervisor, with data that are there after a restart."""

import os
import random
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import psutil
import pytest

from config import embedded_postgres, processes
from config.demo.processes import free_port
from tests.cluster import wait_for

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.acceptance


def quiet_port() -> int:
    """A free port below those that outgoing connections take (Linux: from 32768 on)."""
    return next(port for port in random.sample(range(20_000, 32_000), 100) if free_port(port) == port)


class Run:
    """`python -m config.run` on data of its own."""

    def __init__(self, var: Path, **environment: str):
        self.var, self.port = var, quiet_port()
        self.log = var / "run.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.run"],
                cwd=ROOT,
                env={
                    **os.environ,
                    "BATCHWISE_VAR": str(var),
                    "PORT": str(self.port),
                    "BIND": "",
                    **environment,
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/admin/login/", timeout=5) as page:
                return b"Batchwise" in page.read()
        except OSError:
            return False

    def says(self, text: str) -> bool:
        return text in self.log.read_text()

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        return self.process.wait(60)


@pytest.fixture
def run(tmp_path):
    tmp_path.chmod(0o755)
    started: list[Run] = []

    def start(**environment: str) -> Run:
        started.append(Run(tmp_path, **environment))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.end(signal.SIGTERM)
    embedded_postgres.stop(tmp_path / "postgres")


def is_over(run: Run) -> bool:
    return not (run.var / "postgres" / "postmaster.pid").exists()


def test_it_serves_works_and_ends_whole_and_knows_its_user_after_a_restart(run):
    first = run(DJANGO_SUPERUSER_USERNAME="office", DJANGO_SUPERUSER_PASSWORD="a long word")
    wait_for(first.answers)
    wait_for(lambda: first.says("Email scheduler started"))
    assert first.says("Made the first user of the admin: office")
    assert not first.says("a long word")
    assert first.end(signal.SIGINT) == 130
    assert is_over(first)

    again = run(DJANGO_SUPERUSER_PASSWORD="")
    wait_for(again.answers)
    assert not again.says("Nobody can log in yet")
    assert again.end(signal.SIGTERM) == 143
    assert is_over(again)


def test_without_a_user_and_a_terminal_it_says_how_to_make_one_and_goes_on(run):
    started = run(DJANGO_SUPERUSER_PASSWORD="")
    wait_for(started.answers)
    assert started.says("Nobody can log in yet: run `.venv/bin/python manage.py createsuperuser`")


def test_a_second_one_on_the_same_data_is_refused_and_the_first_goes_on(run):
    first = run(DJANGO_SUPERUSER_PASSWORD="a long word")
    wait_for(first.answers)
    second = run()
    assert second.process.wait(60) == 1
    assert second.says("Batchwise runs here already")
    assert first.answers()


def test_a_port_that_is_taken_is_told_before_anything_starts(run):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        started = run(PORT=str(port))
        assert started.process.wait(60) == 1
    assert started.says(f"Can't listen on 127.0.0.1:{port}")
    assert not started.says("Email scheduler started")


def test_stop_leaves_the_database_of_a_running_batchwise_alone(run):
    first = run(DJANGO_SUPERUSER_PASSWORD="a long word")
    wait_for(first.answers)
    stop = subprocess.run(
        [sys.executable, "-m", "config.embedded_postgres", "stop"],
        cwd=ROOT,
        env={**os.environ, "BATCHWISE_VAR": str(first.var)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert stop.returncode == 1
    assert "end that with Ctrl-C first" in stop.stderr
    assert first.answers()


def test_a_database_that_ends_is_started_again(run):
    started = run(DJANGO_SUPERUSER_PASSWORD="a long word")
    wait_for(started.answers)
    assert embedded_postgres.kill(started.var / "postgres")
    wait_for(lambda: started.says("PostgreSQL has ended: it is started again"))
    wait_for(started.answers)


def test_one_that_is_killed_leaves_nothing_behind_that_is_in_the_way_of_the_next(run):
    killed = run(DJANGO_SUPERUSER_PASSWORD="a long word")
    wait_for(killed.answers)
    parts = processes.children(psutil.Process(killed.process.pid), recursive=True)
    assert len(parts) > 4
    killed.end(signal.SIGKILL)
    wait_for(lambda: all(map(processes.has_ended, parts)))
    wait_for(run(DJANGO_SUPERUSER_PASSWORD="a long word").answers)
