"""The text part that is made from HTML: what a reader without HTML sees."""

import pytest

from campaigns.plain_text import text_from_html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("", ""),
        ("<!-- nothing -->", ""),
        ("just words", "just words"),
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("a<br>b", "a\nb"),
        ("<ul><li>One</li><li>Two</li></ul>", "  * One\n  * Two"),
        ("<ol><li>One</li><li>Two</li></ol>", " 1. One\n 2. Two"),
        ("<p>5 &lt; 6 &amp; 7&nbsp;€</p>", "5 < 6 & 7 €"),
        ("<style>p{}</style><script>x()</script><title>t</title><p>seen</p>", "seen"),
        ('<div style="display:none">preheader</div><p>seen</p>', "seen"),
        ('<a href="https://x.example/a">Read on</a> now', "Read on <https://x.example/a> now"),
        ('<a href="https://x.example/">x.example</a>', "x.example"),
        ('<a href="mailto:a@x.example">a@x.example</a>', "a@x.example"),
        ('<a href="mailto:a@x.example">Write</a>', "Write <mailto:a@x.example>"),
        ('<a href="#top">Up</a> <a name="top">here</a>', "Up here"),
        ('<a href="https://x.example"><img src="b.png" alt="Order"></a>', "[Order] <https://x.example>"),
        ('<img src="pixel.gif">', ""),
        ("<table><tr><td>Apple</td><td>1</td></tr><tr><td>Fig</td></tr></table>", "Apple  1\nFig"),
        ('<?xml version="1.0" encoding="utf-8"?><p>Grüße</p>', "Grüße"),
        ("<p>a</p><p></p><p></p><div><div><p>b</p></div></div>", "a\n\nb"),
    ],
)  # fmt: skip
def test_html_reads_well_as_text(html: str, text: str) -> None:
    assert text_from_html(html).replace("\xa0", " ") == text


def test_no_line_ends_in_spaces_though_the_layout_is_a_table() -> None:
    html = '<table width="600"><tr><td><h1>Hello</h1><p>A long line of words, longer.</p></td></tr></table>'
    assert text_from_html(html) == "Hello\n\nA long line of words, longer."
