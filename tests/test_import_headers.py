"""Which column a header stands for, and which merge field it makes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns import templating
from campaigns.importing import ImportRefused
from campaigns.importing.headers import map_headers


def fields(*headers: str) -> list[str]:
    return [column.field for column in map_headers(headers)]


@pytest.mark.parametrize(
    "header",
    [
        *("email", "E-Mail", "e-mail address", "EMAIL_ADDRESS", "Email Address", "emailAddress", " Mail "),
        *("E-Mail-Adresse", "Mailadresse", "E-mail 1 - Value", "E-Post", "Adresse e-mail", "Courriel"),
        *("Adresse électronique", "Adresse de courriel", "Correo electrónico", "Correo-e"),
        *("Dirección de correo electrónico", "Work e-mail (main)", "\uff25\uff4d\uff41\uff49\uff4c"),
    ],
)
def test_usual_names_of_the_email_column_are_known(header):
    assert fields("Ort", header) == ["ort", "email"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (["First Name", "Last Name"], ["first_name", "last_name"]),
        (["first_name", "last_name"], ["first_name", "last_name"]),
        (["Given name", "Surname"], ["first_name", "last_name"]),
        (["Vorname", "Nachname"], ["first_name", "last_name"]),
        (["Vorname", "Name"], ["first_name", "last_name"]),
        (["Prénom", "Nom"], ["first_name", "last_name"]),
        (["Prénom", "Nom de famille"], ["first_name", "last_name"]),
        (["Nombre", "Apellidos"], ["first_name", "last_name"]),
        (["Name"], ["name"]),
        (["Nom"], ["name"]),
        (["Vollständiger Name"], ["name"]),
        (["Name", "Vorname", "Nachname"], ["name", "first_name", "last_name"]),
    ],
)
def test_names_of_people_are_known_by_what_stands_beside_them(headers, expected):
    assert fields("email", *headers) == ["email", *expected]


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("City", "city"),
        ("Größe (cm)", "grosse_cm"),
        ("customerNumber", "customer_number"),
        ("Ort\nPLZ", "ort_plz"),
        ("2. Adresse", "field_2_adresse"),
        ("Empty", "empty_value"),
        ("Город", "город"),
        ("都市", "都市"),
        ("🎉", "column_2"),
        ("", "column_2"),
        ("Mail", "mail"),
        ("Email", "email_2"),
    ],
)
def test_any_other_header_becomes_a_merge_field(header, field):
    assert fields("E-Mail", header, "Name") == ["email", field, "name"]


def test_equal_headers_get_numbers():
    assert fields("email", "Tag", "tag", "TAG", "tag 2") == ["email", "tag", "tag_2", "tag_3", "tag_2_2"]


def test_empty_headers_at_the_end_are_no_columns():
    assert fields("email", "", "city", "", " ") == ["email", "column_2", "city"]


def test_two_columns_that_might_hold_addresses_are_not_guessed_between():
    with pytest.raises(ImportRefused, match="“Old email 7”, “New email 9”"):
        map_headers(["Old email 7", "New email 9"])


@given(st.lists(st.text(), max_size=20))
def test_every_header_makes_a_field_of_its_own_that_a_template_can_use(headers):
    found = fields("email", *headers)

    assert len(set(found)) == len(found)
    for field in found:
        assert templating.merge_fields(f"{{{{ {field} }}}}") == {field}
        assert templating.render(templating.parse(f"{{{{ {field} }}}}"), {field: "value"}) == "value"


@pytest.mark.parametrize("word", ["Limit", "Offset", "cols", "reversed", "continue", "required"])
def test_a_header_that_is_a_word_of_liquid_gets_a_field_that_a_template_can_use(word):
    column = map_headers(["email", word])[1]

    assert column.field == f"{word.lower()}_value"
