"""Takes a picture of every screen, wide and narrow, light and dark: `make screens`, into docs/screens/.

It runs as a test, so that it has a database of its own, which tests/office.py fills; its SCREENS names them.
SCREENS="contact import" takes only those whose names begin so; SCREENS_TO names another folder.
"""

import os
from base64 import b64decode
from pathlib import Path

import pytest
from django.db.models.functions import Now

from accounts.models import SmtpAccount
from sending.models import Heartbeat
from tests import office
from tests.browser import NARROW, WIDE
from tests.cluster import ROOT
from tests.queue_rows import beat

FOLDER = Path(os.environ.get("SCREENS_TO", ROOT / "docs/screens"))
WANTED = tuple(os.environ.get("SCREENS", "").split())
LOOKS = {"wide": WIDE, "narrow": NARROW}


@pytest.mark.timeout(1800)
@pytest.mark.django_db(transaction=True)
def test_pictures(open_page, django_user_model):
    user = django_user_model.objects.create_superuser(
        "maria", "maria@harbour-books.example", first_name="Maria", password="only for the form"
    )
    shoot(open_page, None, {"login": office.at("login")})
    shoot(open_page, user, {f"empty-{name}": office.SCREENS[name]() for name in office.EMPTY})
    office.fill(user)
    shoot(open_page, user, {name: url() for name, url in office.SCREENS.items()}, before=beat)
    shoot(open_page, user, {"uncertain-send-again": office.SCREENS["uncertain"]()}, office.ask_to_send_again)
    shoot(open_page, office.nobody(), {"forbidden": office.SCREENS["pacing"]()})
    Heartbeat.objects.update(at=Now() - office.LONG_AGO)
    SmtpAccount.objects.update(
        pause_reason="The log-in was refused: make a new app password.", paused_until=None
    )
    shoot(open_page, user, {"dashboard-silent": office.at("index")})


def shoot(open_page, user, urls, then=None, before=lambda: None) -> None:
    FOLDER.mkdir(exist_ok=True, parents=True)
    wanted = {name: url for name, url in urls.items() if not WANTED or name.startswith(WANTED)}
    for look, viewport in LOOKS.items() if wanted else ():
        for scheme in ("light", "dark"):
            page = open_page(user, viewport=viewport, color_scheme=scheme)
            for name, url in wanted.items():
                before()
                page.goto(url)
                if then:
                    then(page)
                page.wait_for_load_state("load")
                if page.locator('[data-part="frame"]').count():
                    page.frame_locator("iframe.letter").locator("h1").wait_for()
                (FOLDER / f"{name}-{look}-{scheme}.webp").write_bytes(picture(page))
            page.goto("about:blank")  # a page that keeps itself up to date costs time


def picture(page) -> bytes:
    """The whole page as WebP, which Playwright's own call does not make: the repository keeps them all."""
    chromium = page.context.new_cdp_session(page)
    size = chromium.send("Page.getLayoutMetrics")["cssContentSize"]
    whole = {"captureBeyondViewport": True, "clip": {**size, "scale": 1}}
    shot = chromium.send("Page.captureScreenshot", {"format": "webp", "quality": 80, **whole})
    chromium.detach()
    return b64decode(shot["data"])
