"""A server for one caller that says what a test wants, byte for byte."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

GREETING = b"220 odd ESMTP\r\n"
OFFER = b"250-odd\r\n250 AUTH PLAIN\r\n"
Talk = Callable[[socket.socket], None]


@contextmanager
def odd_server(talk: Talk) -> Iterator[int]:
    """A server that talks this way to one caller, then hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with listener.accept()[0] as caller:
                caller.settimeout(20)
                with suppress(OSError):  # the caller had enough
                    talk(caller)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(20)
        assert not thread.is_alive()


def listen_for(caller: socket.socket, end: bytes) -> bytes:
    """What the caller says up to this end."""
    heard = b""
    while not heard.endswith(end):
        arrived = caller.recv(65536)
        if not arrived:
            raise ConnectionError("the caller hung up")
        heard += arrived
    return heard


def says(*parts: bytes) -> Talk:
    """Sends each part after it was spoken to once; the first at once."""

    def talk(caller: socket.socket) -> None:
        for part in parts:
            caller.sendall(part)
            if not caller.recv(65536):
                return

    return talk
