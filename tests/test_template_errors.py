"""A mistake in a template is told in words: where it is, what is wrong, and how to mend it."""

import pytest

from campaigns import template_errors
from campaigns.template_errors import KNOWN, TemplateError
from campaigns.templating import parse, render, validate

# What is written, with the mistake in its second line, and what is told. The errors are the library's own.
MISTAKES = {
    "{{ first_name ": "“{{” is not closed: add “}}” behind the name of the field, as in {{ first_name }}.",
    "{{ first_name }": "“{{” is not closed: add “}}” behind the name of the field, as in {{ first_name }}.",
    "{% if a": "“{%” begins a tag that has no name or is not closed: write it as in {% if city %}.",
    "{% %}": "“{%” begins a tag that has no name or is not closed: write it as in {% if city %}.",
    "{% if a }}x{% endif %}": ("{% if a }} ends with “}}”: a tag that begins with “{%” ends with “%}”."),
    "{{{ a }}}": "{{{ a }}} has a brace too many: a field stands between two, as in {{ first_name }}.",
    "{{ a | default: 'b }}": (
        "a quotation mark in {{ a | default: 'b }} is not closed: add another one of the same kind."
    ),
    "{{ a | default: “b” }}": (
        "{{ a | default: “b” }} has a typographic quotation mark (“): type a straight one, ' or \"."
    ),
    "{{ a['b' }}": "“[” in {{ a['b' }} is not closed: add “]”.",
    "{% for i in (1..3 %}{% endfor %}": "“(” in {% for i in (1..3 %} is not closed: add “)”.",
    "{{&nbsp;a }}": "“&nbsp;” in {{&nbsp;a }} is HTML: type the character itself.",
    "{{ first<b>name }}": "{{ first<b>name }} has HTML in it: take “<b>” out.",
    # Tags and their ends
    "{% unless a %}x": "the tag {% unless %} is not closed: add {% endunless %}.",
    "{% raw %}x": "the tag {% raw %} is not closed: add {% endraw %}.",
    "{% comment %}x": "the tag {% comment %} is not closed: add {% endcomment %}.",
    "{% case a %}x": "the tag {% case %} is not closed: add {% endcase %}.",
    "{% case a %}{% when 1 %}x": "the tag {% case %} is not closed: add {% endcase %}.",
    "{% if a %}{% case a %}{% when 1 %}x": "the tag {% case %} is not closed: add {% endcase %}.",
    "{% endif %}": "{% endif %} closes nothing: take it out, or add {% if %} before it.",
    "{% if a %}{% for x in y %}{% endif %}": (
        "{% endif %} can't stand before the tag {% for %} of line 2 is closed: add {% endfor %} before it."
    ),
    "{% else %}": "{% else %} belongs between {% if %} and {% endif %}.",
    "{% when 1 %}": "{% when %} belongs between {% case %} and {% endcase %}.",
    "{% break %}": "{% break %} belongs between {% for %} and {% endfor %}.",
    "{% If a %}{% endif %}": "there is no tag {% If %}; did you mean {% if %}?",
    "{% if a %}{% elseif b %}{% endif %}": "there is no tag {% elseif %}; did you mean {% elsif %}?",
    "{% first_name %}": "there is no tag {% first_name %}; a field is written {{ first_name }}.",
    "{% include 'a' %}": "{% include %} is for web sites: a message is one text.",
    "{% render 'a' %}": "{% render %} is for web sites: a message is one text.",
    "{% # a\n b %}": "each line of the comment {% # a b %} begins with “#”.",
    # Tags that say too little
    "{% if %}{% endif %}": '{% if %} lacks something: write it as in {% if city == "Bonn" %}.',
    "{% if a == %}\nx{% endif %}": '{% if a == %} is not complete: write it as in {% if city == "Bonn" %}.',
    "{% if a == %}": '{% if a == %} is not complete: write it as in {% if city == "Bonn" %}.',
    "{% for x y %}{% endfor %}": ("{% for x y %} is not complete: write it as in {% for item in items %}."),
    "{% for x in y foo:1 %}{% endfor %}": (
        "{% for x in y foo:1 %} is not complete: write it as in {% for item in items %}."
    ),
    "{% assign x %}": '{% assign x %} is not complete: write it as in {% assign greeting = "Hello" %}.',
    "{% case city x %}{% endcase %}": "{% case city x %} is not complete: write it as in {% case city %}.",
    "{% capture a b %}{% endcapture %}": (
        "{% capture a b %} is not complete: write it as in {% capture greeting %}."
    ),
    "{% liquid if %}": "one of the tags in {% liquid if %} lacks something.",
    "{% doc x %}{% enddoc %}": "{% doc x %} can't be read from “x” on: take that out, or mend it.",
    # Conditions
    "{% if a = b %}{% endif %}": "{% if a = b %} compares: write two equals signs, “==”.",
    "{% if a && b %}{% endif %}": "write “and” instead of “&” in {% if a && b %}.",
    "{% if a || b %}{% endif %}": "write “or” instead of “||” in {% if a || b %}.",
    "{% if not a %}{% endif %}": (
        "{% if not a %} can't have “not”: use {% unless city %} … {% endunless %}."
    ),
    "{% if (a or b) %}{% endif %}": "{% if (a or b) %} can't have parentheses: put one tag into another.",
    "{% if a => b %}{% endif %}": (
        "“=>” in {% if a => b %} is unknown: there are ==, !=, <, >, <=, >= and contains."
    ),
    "{% if a b %}{% endif %}": (
        "{% if a b %} lacks something before “b”: a comparison such as ==, “and” or “or”."
    ),
    "{{ a if b else c }}": (
        "{{ a if b else c }} has a condition: put it into a tag, {% if city %} … {% endif %}."
    ),
    # Fields and filters
    "{{ }}": "{{ }} is empty: write the name of a field, as in {{ first_name }}.",
    "{{ first name }}": (
        "{{ first name }} names two things: a field's name has no spaces, as in {{ first_name }}."
    ),
    "{{ a.b. }}": "{{ a.b. }} lacks a name behind the dot, as in {{ address.city }}.",
    "{{ if }}": (
        "“if” in {{ if }} means something of its own and is no field; the field of a column of this name is "
        "if_value."
    ),
    "{{ $a }}": "“$” can't stand in {{ $a }}: names have letters, digits and underscores only.",
    "{{ a or b }}": "{{ a or b }} can't be read from “or” on: take that out, or mend it.",
    "{{ | upcase }}": "{{ | upcase }} lacks the name of a field before “|”, as in {{ first_name | upcase }}.",
    "{{ a | }}": (
        '{{ a | }} lacks the name of a filter behind “|”, as in {{ first_name | default: "you" }}.'
    ),
    "{{ a | default 'b' }}": (
        "a colon is missing behind the filter default: write default: and then its value."
    ),
    "{{ a | date: '%d' '%m' }}": "{{ a | date: '%d' '%m' }} lacks a comma between two values of a filter.",
    "{{ a | defualt: 'b' }}": "there is no filter “defualt”; did you mean “default”?",
    "{{ a | safe }}": "there is no filter “safe”.",
    "{{ a | upcase: 1 }}": "the filter “upcase” has too many or too few values behind its colon.",
}


@pytest.mark.parametrize("written", MISTAKES)
def test_a_mistake_is_told_with_its_line_and_how_to_mend_it(written: str) -> None:
    with pytest.raises(TemplateError) as refused:
        validate(f"Dear {{{{ first_name }}}},\n{written}")
    assert (refused.value.line, refused.value.reason) == (2, MISTAKES[written])


def test_every_sentence_of_the_table_is_told_of_some_mistake(monkeypatch) -> None:
    told: set[int] = set()
    for number, known in enumerate(KNOWN):
        spy = _Spy(number, known, told)
        monkeypatch.setattr(
            template_errors, "KNOWN", (*template_errors.KNOWN[:number], spy, *KNOWN[number + 1 :])
        )
    for written in MISTAKES:
        with pytest.raises(TemplateError):
            validate(written)
    assert told == set(range(len(KNOWN)))


class _Spy:
    """One row of the table, which notes that it was told."""

    def __init__(self, number, known, told):
        self.number, self.known, self.noted = number, known, told

    def told(self, facts):
        sentence = self.known.told(facts)
        if sentence:
            self.noted.add(self.number)
        return sentence


def test_a_mistake_that_only_some_contacts_come_to_is_told_with_its_line_too() -> None:
    template = parse("Hello\n{% if city %}{% break %}{% endif %}")
    with pytest.raises(TemplateError) as told:
        render(template, {"city": "Bonn"})
    assert str(told.value) == "line 2: {% break %} belongs between {% for %} and {% endfor %}."


def test_what_is_not_in_the_table_is_told_in_the_parsers_words(monkeypatch) -> None:
    monkeypatch.setattr(template_errors, "KNOWN", ())
    with pytest.raises(TemplateError) as refused:
        validate("x\n{% doc x %}{% enddoc %}")
    assert str(refused.value) == "line 2: unexpected expression."


def test_a_long_tag_is_told_by_its_beginning() -> None:
    with pytest.raises(TemplateError, match=r"\{\{ x+… names|x+… can't") as refused:
        validate("{{ " + "x" * 500 + " or b }}")
    assert len(refused.value.reason) < 200
