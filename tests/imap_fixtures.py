"""A real Dovecot for the tests, and accounts whose Sent folder it holds."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from config.chaos.dovecot import Dovecot, is_installed

USER, PASSWORD = "one", 'p"a\\ss%wörd'


@pytest.fixture(scope="session")
def _dovecot_is_installed() -> None:
    if is_installed():
        return
    if os.environ.get("DOVECOT_REQUIRED"):
        pytest.fail("Dovecot is not installed (Debian: apt-get install dovecot-imapd).")
    pytest.skip("Dovecot is not installed (Debian: apt-get install dovecot-imapd).")


@pytest.fixture
def start_dovecot(_dovecot_is_installed: None) -> Iterator[Callable[..., Dovecot]]:
    """start_dovecot(sent="Sent", ...) starts one with the user above; see Dovecot's options."""
    running: list[Dovecot] = []

    def start(**options: object) -> Dovecot:
        running.append(Dovecot({USER: PASSWORD}, **options).__enter__())  # type: ignore[arg-type]
        return running[-1]

    yield start
    for dovecot in running:
        print(dovecot.log)  # pytest shows it when the test failed
        dovecot.__exit__()


@pytest.fixture
def dovecot(start_dovecot: Callable[..., Dovecot]) -> Dovecot:
    """One without TLS, with a Sent folder that is marked so."""
    return start_dovecot()


@pytest.fixture
def certificate(authority: trustme.CA, tmp_path: Path) -> tuple[Path, Path]:
    """Chain and key for 127.0.0.1 and localhost, by the authority of the tests."""
    issued = authority.issue_cert("127.0.0.1", "localhost")
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    issued.cert_chain_pems[0].write_to_path(str(chain))
    issued.private_key_pem.write_to_path(str(key))
    return chain, key


def imap_of(dovecot: Dovecot, **fields: object) -> dict[str, object]:
    """An account's fields that lead to the user's Sent folder there."""
    defaults = {"imap_host": "127.0.0.1", "imap_port": dovecot.port, "imap_security": "none"}
    return {**defaults, "username": USER, "password": PASSWORD, **fields}
