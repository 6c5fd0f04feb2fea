"""Fixtures of all tests. Real parts only: PostgreSQL, an SMTP server on loopback, a qcluster."""

import signal

import pytest
from django.conf import settings

from tests.cluster import Cluster

# A shell that starts the tests in the background has them ignore Ctrl-C, and so all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.smtp_fixtures", "tests.imap_fixtures", "tests.browser"]


def pytest_configure() -> None:
    """Passwords of staff are kept as any, but hashed in no time: a real hash takes half a second each."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


# Which of them lives is judged by time: one after the other, while other workers run the other tests.
ONE_AT_A_TIME = {"test_cluster", "test_drain", "test_import_cluster", "test_watchdog"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keeps tests that watch a real cluster's time on one worker of pytest-xdist (--dist loadgroup)."""
    for item in items:
        if item.path.stem in ONE_AT_A_TIME:
            item.add_marker(pytest.mark.xdist_group("clusters"))


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
