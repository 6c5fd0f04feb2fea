"""A real browser for tests: `page` is logged in, and what it has to complain about fails the test."""

import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from django.core.signals import request_finished, request_started

from tests.cluster import ROOT, wait_for
from tests.silent_network import unchanged_networks

CHROMIUM = "/usr/bin/chromium"
AXE = ROOT / "tests/vendor/axe-core-4.14.1/axe.min.js"
WIDE, NARROW = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
# By colour scheme and width: the rules that are looked at, () for all. The dark is but other colours.
LOOKS = (("light", WIDE, ()), ("dark", WIDE, ("color-contrast",)), ("light", NARROW, ()))
# A page that the policy stops reports it as an event before the console tells it.
LISTEN = """
window.violations = [];
document.addEventListener("securitypolicyviolation", (event) =>
    window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sourceFile ?? ""}`));
"""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """One browser process for all tests. Without one they are skipped; with BROWSER_TESTS=1 they fail."""
    if not shutil.which(CHROMIUM):
        reason = f"There is no browser at {CHROMIUM} (Debian: apt-get install chromium)."
        if os.environ.get("BROWSER_TESTS"):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    # Playwright keeps an event loop in this thread, which Django takes for a caller that must not block.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(chromium: Any, live_server: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages, each in a context of its own: open_page(user, color_scheme="dark", viewport=NARROW).

    At the end of the test no page may have reported a violation of the policy or an error.
    """
    complaints: list[str] = []
    contexts: list[Any] = []
    pages: list[Any] = []

    def opened(user: Any = None, **options: Any) -> Any:
        # Without motion: no look comes upon colours that fade into those of another scheme.
        usual = {"viewport": WIDE, "reduced_motion": "reduce"}
        context = chromium.new_context(base_url=live_server.url, **{**usual, **options})
        contexts.append(context)
        context.set_default_timeout(15_000)
        if user:
            context.add_cookies([_session_cookie(user, live_server.url)])
        context.add_init_script(LISTEN)
        page = context.new_page()
        page.on(
            "console", lambda message: complaints.append(message.text) if _is_bad(message, page) else None
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        pages.append(page)
        return page

    with unchanged_networks(), _answered():
        yield opened
        for page in pages:
            complaints += page.evaluate("window.violations")
        for context in contexts:
            context.close()
    assert complaints == []


@contextmanager
def _answered() -> Iterator[None]:
    """Ends once each request is answered: the tables that one still reads can't be emptied, a deadlock."""
    started: list[Any] = []
    finished: list[Any] = []

    def start(sender: Any, **_: Any) -> None:
        started.append(sender)

    def finish(sender: Any, **_: Any) -> None:
        finished.append(sender)

    request_started.connect(start)
    request_finished.connect(finish)
    yield
    wait_for(lambda: len(started) == len(finished), what="the answers to all requests")
    request_started.disconnect(start)
    request_finished.disconnect(finish)


@pytest.fixture
def page(open_page: Callable[..., Any], transactional_db: None, django_user_model: Any) -> Any:
    """A page, 1280 px wide and light, of the administrator "maria"."""
    return open_page(django_user_model.objects.create_superuser("maria"))


def _is_bad(message: Any, page: Any) -> bool:
    """An error, but not that a letter's script was stopped by its sandbox, which is wanted, and not that
    the page itself was answered by an error, which is there to be looked at."""
    is_page = message.text.startswith("Failed to load resource") and message.location.get("url") == page.url
    return (
        message.type == "error" and not message.text.startswith("Blocked script execution in") and not is_page
    )


def _session_cookie(user: Any, url: str) -> dict[str, str]:
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    return {"name": settings.SESSION_COOKIE_NAME, "value": str(session.session_key), "url": url}


def assert_accessible_in_every_look(page: Any) -> None:
    """The page as it is shown now: wide and narrow, light and dark. Nothing is wider than the window."""
    for colour_scheme, viewport, rules in LOOKS:
        page.emulate_media(color_scheme=colour_scheme)
        page.set_viewport_size(viewport)
        assert_accessible(page, rules)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{page.url} {viewport}"
    page.emulate_media(color_scheme="light")
    page.set_viewport_size(WIDE)


def assert_accessible(page: Any, rules: Sequence[str] = ()) -> None:
    """axe-core finds no serious or critical issue on the page as it is shown now, by these rules or all."""
    # Through the debugger's protocol, which the page's policy does not bind.
    if not page.evaluate("'axe' in window"):
        page.evaluate(Path(AXE).read_text())
    options: dict[str, Any] = {"resultTypes": ["violations"], "preload": False}
    if rules:
        options["runOnly"] = list(rules)
    found = page.evaluate("(options) => axe.run(document, options)", options)["violations"]
    serious = [
        f"{issue['id']}: {issue['help']}: {node['target']} {node.get('failureSummary', '')}"
        for issue in found
        if issue["impact"] in ("serious", "critical")
        for node in issue["nodes"]
    ]
    assert serious == [], "\n".join(serious)
