"""Fixtures of all tests. Real parts only: PostgreSQL, an SMTP server on loopback, a qcluster."""

import signal

import pytest

from tests.cluster import Cluster

# A shell that starts the tests in the background has them ignore Ctrl-C, and so all that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest_plugins = ["tests.smtp_fixtures"]


@pytest.fixture
def start_cluster(transactional_db):
    """Starts real `manage.py qcluster` processes on the test's database, as many as asked for."""
    clusters: list[Cluster] = []

    def start(**environment: str) -> Cluster:
        clusters.append(Cluster(environment))
        return clusters[-1]

    yield start
    for cluster in clusters:
        cluster.kill_group()
        print(cluster.log)  # pytest shows it when the test failed
