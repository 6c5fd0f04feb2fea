"""The text part of a mail that was written in HTML only."""

import re

from inscriptis.css_profiles import STRICT_CSS_PROFILE
from inscriptis.html_engine import Inscriptis
from inscriptis.model.config import ParserConfig
from lxml.etree import ParserError
from lxml.html import HtmlElement, document_fromstring

_CONFIG = ParserConfig(css=STRICT_CSS_PROFILE, display_images=True)
# lxml refuses a text that declares an encoding: it has none any more.
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")


def text_from_html(html: str) -> str:
    """What the HTML says, as plain text: paragraphs, lists and tables keep their shape, an image is
    its alternative text, a link is followed by its target in angle brackets. "" for empty HTML.

    Raises RecursionError for HTML that is nested hundreds of levels deep.
    """
    try:
        tree = document_fromstring(_XML_DECLARATION.sub("", html))
    except ParserError:
        return ""
    for link in tree.iter("a"):
        _show_target(link)
    lines = [line.rstrip() for line in Inscriptis(tree, _CONFIG).get_text().splitlines()]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def _show_target(link: HtmlElement) -> None:
    target = link.get("href", "").strip()
    label = " ".join(link.text_content().split())
    if target and not target.startswith("#") and _bare(target) != _bare(label):
        link.tail = f" <{target}>{link.tail or ''}"


def _bare(address: str) -> str:
    """What is left to compare a link's label with its target."""
    return re.sub(r"^(https?://|mailto:|tel:)", "", address).rstrip("/").lower()
