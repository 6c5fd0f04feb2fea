"""What a template may say, and how a mistake in one is told."""

import pytest
from django.core.exceptions import ValidationError

from campaigns.models import Campaign
from campaigns.templating import (
    MAX_OUTPUT,
    TemplateError,
    fields_with_default,
    merge_fields,
    parse,
    render,
    validate,
)


def rendered(source: str, html: bool = False, **values: object) -> str:
    return render(parse(source, html=html), values)


def test_a_merge_field_is_filled_in() -> None:
    assert rendered("Dear {{ first_name }}!", first_name="Zoë") == "Dear Zoë!"


@pytest.mark.parametrize("values", [{}, {"first_name": ""}, {"first_name": None}])
def test_a_missing_field_is_empty_and_takes_its_default(values: dict[str, object]) -> None:
    assert rendered("[{{ first_name }}]", **values) == "[]"
    assert rendered('{{ first_name | default: "there" }}', **values) == "there"
    assert rendered("{{ address.city.name | upcase }}", **values) == ""


def test_html_escapes_values_and_keeps_the_templates_own_markup() -> None:
    source = '<p title="{{ v }}">{{ v }}</p>{% assign w = v | append: "<b>" %}{{ w }}'
    assert rendered(source, html=True, v='"<i>&') == (
        '<p title="&#34;&lt;i&gt;&amp;">&#34;&lt;i&gt;&amp;</p>&#34;&lt;i&gt;&amp;<b>'
    )


def test_text_escapes_nothing() -> None:
    assert rendered("{{ v }}", v='"<i>&') == '"<i>&'


def test_a_value_is_never_a_template() -> None:
    assert rendered("{{ v }}", v="{{ email }}{% for %}", email="secret") == "{{ email }}{% for %}"


def test_lists_numbers_and_truth_are_plain_values() -> None:
    source = "{% for one in items %}{{ one.name }}={{ one.price }};{% endfor %}{{ vip }}"
    assert rendered(source, items=[{"name": "a", "price": 1.5}, {"name": "b"}], vip=True) == "a=1.5;b=;true"


@pytest.mark.parametrize(
    "source",
    [
        "{{ v.__class__ }}",
        "{{ v.upper }}",
        "{{ v.format }}",
        '{{ v["__class__"] }}',
        "{{ m.items }}",
        "{{ m.keys }}",
    ],
)
def test_no_attribute_of_a_python_object_is_reached(source: str) -> None:
    assert rendered(source, v="text", m={"a": 1}) == ""


@pytest.mark.parametrize(
    ("source", "line", "reason"),
    [
        ("Hi\n{% if vip %}\nx", 2, "the tag {% if %} is not closed: add {% endif %}."),
        ("{% if a %}\n{% if b %}{% endif %}\n", 1, "the tag {% if %} is not closed: add {% endif %}."),
        ("a\nb\x00", 2, "it has a character that can't be stored; type the line again."),
        ("\n{% for i in (1..1000000000) %}x{% endfor %}", 2, "it loops more than 10,000 times."),
    ],
)
def test_a_bad_template_is_refused_with_line_and_reason(source: str, line: int, reason: str) -> None:
    with pytest.raises(TemplateError) as refused:
        validate(source)
    assert (refused.value.line, refused.value.reason) == (line, reason)


@pytest.mark.parametrize(
    "source",
    [
        "{% for a in (1..9999) %}{% for b in (1..9999) %}x{% endfor %}{% endfor %}",
        "{{ (1..1000000000) | join: '' }}",
        "{% assign x = 'aaaaaaaaaa' %}" + "{% assign x = x | append: x %}" * 40,
        "{{ 'aaaaaaaaaa'" + " | replace: 'a', 'aaaaaaaaaa'" * 30 + " }}",
        "{% assign x = 99 %}{% for i in (1..64) %}{% assign x = x | times: x %}{% endfor %}",
        "{% if a %}" * 50 + "{% endif %}" * 50,
        "{% for i in (1..9999) %}" + "x" * (MAX_OUTPUT // 5000) + "{% endfor %}",
    ],
)
def test_a_template_that_would_eat_the_machine_is_refused(source: str) -> None:
    with pytest.raises(TemplateError):
        validate(source)


def test_a_template_that_only_fails_without_values_is_accepted() -> None:
    validate("{{ total | divided_by: people }}")
    assert rendered("{{ total | divided_by: people }}", total=10, people=5) == "2"


def test_a_rendering_error_does_not_quote_the_value() -> None:
    with pytest.raises(TemplateError) as failed:
        rendered("\n{{ total | divided_by: people }}", total="secret@example.com", people=0)
    assert "secret" not in str(failed.value)
    assert failed.value.line == 2


def test_merge_fields_are_the_names_that_a_contact_must_fill() -> None:
    source = """{{ first_name }} {{ address.city }} {{ now | date: "%Y" }}
        {% assign local = last_name %}{{ local }}
        {% for one in items %}{{ one.name }}{{ forloop.index }}{% endfor %}
        {% if vip %}{{ email }}{% endif %}{% raw %}{{ raw }}{% endraw %}"""
    assert merge_fields(source) == {"first_name", "address", "last_name", "items", "vip", "email"}


def test_a_field_counts_as_with_default_only_when_every_use_has_one() -> None:
    source = """{{ a | default: 'x' }}{{ b | upcase | default: 'x' }}
        {{ c | default: 'x' }}{{ c }}{% if d %}{% endif %}"""
    assert fields_with_default(source) == {"a", "b"}


@pytest.mark.parametrize("part", ["subject", "html", "text"])
def test_a_campaign_with_a_bad_part_says_which_line_of_which_part(part: str) -> None:
    campaign = Campaign(**{"name": "n", "subject": "s", "html": "<p>", part: "ok\n{% if vip %}"})
    with pytest.raises(ValidationError) as refused:
        campaign.clean()
    assert refused.value.message_dict == {part: ["Line 2: the tag {% if %} is not closed: add {% endif %}."]}


def test_a_campaign_needs_something_to_say() -> None:
    with pytest.raises(ValidationError) as refused:
        Campaign(name="n", subject="s", html=" \n").clean()
    assert list(refused.value.message_dict) == ["html"]
