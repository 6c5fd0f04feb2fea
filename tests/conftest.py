"""Fixtures of all tests. Real parts only: PostgreSQL, an SMTP server on loopback, a qcluster."""

import signal

import hypothesis
import pytest
from django.conf import settings

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


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist's own, which reads the marks
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
