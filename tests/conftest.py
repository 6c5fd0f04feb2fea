"""Fixtures of all tests. Real parts only: PostgreSQL, an SMTP server on loopback, a qcluster."""

import signal
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from django.conf import settings
from xdist.scheduler import LoadGroupScheduling

from tests.cluster import Cluster

# A shell that starts the tests in the background has them ignore Ctrl-C, and so all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.smtp_fixtures", "tests.imap_fixtures", "tests.browser"]


# How long an example takes says nothing: the machine may be busy with other tests.
hypothesis.settings.register_profile("busy", deadline=None)
hypothesis.settings.load_profile("busy")


def pytest_configure() -> None:
    """Spares each test what takes long and tells nothing: a slow hash, a list of all static files."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.WHITENOISE_AUTOREFRESH = True  # finds a static file when it is asked for


# Which of them lives is judged by time: one after the other, while other workers run the other tests.
ONE_AT_A_TIME = {
    "test_cluster",
    "test_drain",
    "test_failover",
    "test_full_disk",
    "test_power_cut",
    "test_import_cluster",
    "test_watchdog",
}


class Schedule(LoadGroupScheduling):
    """Keeps them on one worker, by their file: the marks of pytest-xdist 3.8 are lost on pytest 9.2."""

    def _split_scope(self, nodeid: str) -> str:
        file = Path(nodeid.partition("::")[0])
        return "clusters" if file.stem in ONE_AT_A_TIME else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Schedule:
    return Schedule(config, log)


@pytest.fixture
def start_cluster(transactional_db):
    """Starts real `manage.py qcluster` (or watchdog) processes on the test's database, any number."""
    clusters: list[Cluster] = []

    def start(command: str = "qcluster", **environment: str) -> Cluster:
        clusters.append(Cluster(environment, command))
        return clusters[-1]

    yield start
    for cluster in clusters:
        cluster.kill_tree()
        print(cluster.log)  # pytest shows it when the test failed
