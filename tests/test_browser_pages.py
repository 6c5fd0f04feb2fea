"""Every page in a real browser: nothing that the policy stops. (test_browser_screens.py looks at each.)"""

import pytest

from tests.admin_pages import admin_pages, fill

pytestmark = [pytest.mark.acceptance, pytest.mark.django_db(transaction=True)]


def test_no_page_of_the_admin_violates_the_policy(page):
    fill()
    for url in admin_pages():
        if page.request.get(url).ok:
            page.goto(url)
            assert page.evaluate("window.violations") == [], url
