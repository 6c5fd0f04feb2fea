"""A database server that vanishes without a word: no connection waits a quarter of an hour for it."""

import socket
import sys
import threading

import psycopg
import pytest
from django.db import connection

from tests.silent_network import forward

pytestmark = pytest.mark.django_db


@pytest.fixture
def over_tcp():
    """Where this test's database listens on TCP: the embedded one has a Unix socket only."""
    parameters = connection.get_connection_params()
    host, port = str(parameters.get("host", "")), parameters.get("port") or 5432
    if not host.startswith("/"):
        yield {}
        return
    path = f"{host}/.s.PGSQL.{port}"
    listener = socket.create_server(("127.0.0.1", 0))
    threading.Thread(target=_relay, args=(listener, path), daemon=True).start()
    yield {"host": "127.0.0.1", "port": listener.getsockname()[1]}
    listener.close()


def _relay(listener: socket.socket, path: str) -> None:
    client, _ = listener.accept()
    forward(client, path)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has TCP_USER_TIMEOUT")
def test_a_statement_without_an_answer_and_a_silent_connection_end_within_seconds(over_tcp):
    parameters = connection.get_connection_params() | {"cursor_factory": None} | over_tcp
    with psycopg.connect(**parameters) as session:
        assert session.execute("SHOW synchronous_commit").fetchone() == ("on",)
        with socket.socket(fileno=session.fileno()) as tcp:
            tcp_options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
            idle, interval, count = (tcp.getsockopt(socket.IPPROTO_TCP, option) for option in tcp_options)
            assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 10_000
            assert tcp.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
            assert idle + interval * count < 15
            tcp.detach()
