"""The Content-Security-Policy of every page."""

import pytest

from tests.admin_pages import admin_pages, fill

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    "connect-src 'self'",
    "frame-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
    "object-src 'none'",
}


@pytest.mark.django_db
def test_every_admin_page_has_the_strict_policy_and_nothing_inline(admin_client):
    fill()
    pages = admin_pages()
    assert len(pages) > 50
    for page in pages:
        response = admin_client.get(page)
        assert set(response["Content-Security-Policy"].split("; ")) == POLICY, page
        assert response.status_code in (200, 302, 403), page


@pytest.mark.django_db
@pytest.mark.parametrize("page", ["/", "/healthz", "/admin/login/", "/nowhere", "/admin/nowhere/"])
def test_so_has_what_strangers_see(client, page):
    assert set(client.get(page)["Content-Security-Policy"].split("; ")) == POLICY
