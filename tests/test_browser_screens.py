"""Every screen in a real browser, by light and in the dark, wide and narrow: nobody is kept out, nothing is
cut off, and the keyboard is enough. (The campaign's form has tests of its own.)"""

import pytest
from django.urls import reverse

from tests import office
from tests.browser import NARROW, assert_accessible
from tests.queue_rows import beat

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(600), pytest.mark.django_db(transaction=True)]
LOOKS = {"wide": {}, "narrow": {"viewport": NARROW}}
looks = pytest.mark.parametrize("options", LOOKS.values(), ids=LOOKS)

# Where the page, or something on it that can't be scrolled, is cut off at its right edge.
CUT_OFF = """() => [...document.querySelectorAll("body, body *")].filter((element) => {
    const style = getComputedStyle(element), box = element.getBoundingClientRect();
    if (!box.width || style.visibility === "hidden" || style.clipPath !== "none") return false;
    const scrolled = element.parentElement?.closest(".scrolls, #small-nav, .results, .selector,"
        + " .select2-container, select, svg, .visually-hidden, .tabular, iframe");
    return !scrolled && box.right > innerWidth + 1;
}).map((element) => element.outerHTML.slice(0, 120))"""
# Follows the focus from the page's beginning: what it came to, and which of them does not show so.
FOLLOW = """() => {
    const no_ring = ["none 0px none", "none 3px none", "none 2px none"];
    document.activeElement.blur();
    Object.assign(window, {reached: new Set(), hidden: [], isRound: false});
    document.addEventListener("focusin", ({ target }) => {
        const style = getComputedStyle(target);
        window.isRound ||= reached.has(target);
        reached.add(target);
        if (no_ring.includes(`${style.outlineStyle} ${style.outlineWidth} ${style.boxShadow}`))
            hidden.push(target.outerHTML.slice(0, 120));
    });
}"""
MISSED = """() => [...document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']")]
    .filter((one) => one.checkVisibility({visibilityProperty: true}) && !one.disabled && one.tabIndex >= 0
        && !reached.has(one)).map((one) => one.outerHTML.slice(0, 120))"""


def assert_right(page) -> None:
    """For everybody, by light and in the dark (which is but other colours), and nothing is cut off."""
    assert_accessible(page)
    assert_fits(page)
    page.emulate_media(color_scheme="dark")
    assert_accessible(page, rules=["color-contrast"])
    page.emulate_media(color_scheme="light")


def assert_fits(page) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), page.url
    assert page.evaluate(CUT_OFF) == [], page.url


@looks
def test_every_screen_is_accessible_and_fits(open_page, django_user_model, options):
    office.fill()
    page = open_page(django_user_model.objects.create_superuser("maria"), **options)
    for name, url in office.SCREENS.items():
        beat()
        response = page.goto(url())
        assert response.status == (404 if name == "no-such-page" else 200), name
        assert_right(page)


@looks
def test_every_screen_that_has_nothing_to_show_is_accessible_and_fits(open_page, django_user_model, options):
    page = open_page(django_user_model.objects.create_superuser("maria"), **options)
    for name in office.EMPTY:
        page.goto(office.SCREENS[name]())
        assert_right(page)


@looks
@pytest.mark.urls("tests.broken_urls")
def test_pages_without_a_user_or_with_an_error_are_accessible_and_fit(open_page, options):
    page = open_page(**options)
    for url, status in ((reverse("admin:login"), 200), ("/broken/", 500), ("/no/such/page/", 404)):
        assert page.goto(url).status == status
        assert_right(page)
    page = open_page(office.nobody(), **options)
    assert page.goto(office.SCREENS["pacing"]()).status == 403
    page.get_by_text("Your role does not allow it").wait_for()
    assert_right(page)


def test_the_question_before_uncertain_mail_goes_out_again_is_accessible(open_page, django_user_model):
    office.fill()
    page = open_page(django_user_model.objects.create_superuser("maria"), viewport=NARROW)
    page.goto(office.SCREENS["uncertain"]())
    office.ask_to_send_again(page)
    assert_right(page)


def test_the_keyboard_reaches_everything_and_shows_where_it_is(open_page, django_user_model):
    office.fill()
    page = open_page(django_user_model.objects.create_superuser("maria"))
    for name in ("dashboard", "contacts", "campaign-progress", "import-checked", "contact"):
        page.goto(office.SCREENS[name]())
        page.evaluate(FOLLOW)
        for pressed in range(400):
            page.keyboard.press("Tab")
            if pressed % 20 == 19 and page.evaluate("isRound"):
                break
        assert page.evaluate("isRound"), name
        assert page.evaluate("hidden") == [], name
        assert page.evaluate(MISSED) == [], name


def test_the_first_tab_leads_past_the_navigation(open_page, django_user_model):
    page = open_page(django_user_model.objects.create_superuser("maria"))
    page.goto(reverse("admin:campaigns_contact_changelist"))
    page.keyboard.press("Tab")
    link = page.get_by_role("link", name="Skip to main content")
    assert link.evaluate("one => one === document.activeElement && one.getBoundingClientRect().top >= 0")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")
