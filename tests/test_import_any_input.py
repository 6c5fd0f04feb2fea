"""Whatever stands in a file: text comes back the same, and nothing crashes."""

import csv
import io

import openpyxl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

from campaigns.importing import ImportRefused, ImportReport, import_contacts
from campaigns.models import Contact

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80)
rows_of_text = st.lists(st.tuples(texts, texts), min_size=1, max_size=8)
limited = settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def stored() -> list[tuple[str, dict[str, str]]]:
    return list(Contact.objects.order_by("id").values_list("name", "attributes"))


def expected(rows: list[tuple[str, str]]) -> list[tuple[str, dict[str, str]]]:
    """Names on one line, their white space single; values without the white space around them."""
    one_line = str.maketrans(dict.fromkeys((*range(32), *range(127, 160), 8232, 8233), " "))
    return [
        (" ".join(name.translate(one_line).split()), {"city": city.strip()} if city.strip() else {})
        for name, city in rows
    ]


class AnyText(TestCase):
    @limited
    @given(rows_of_text, st.sampled_from(",;\t|"), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
    @example([('"', "a\r\nb\rc\nd"), (";,|\t", "'"), ("\x85", "\x1a")], ";", "utf-8")
    def test_whatever_text_a_cell_holds_comes_back_the_same_from_csv(self, rows, delimiter, encoding):
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerow(["email", "name", "city"])
        for number, (name, city) in enumerate(rows):
            writer.writerow([f"person{number}@example.com", name, city])

        report = import_contacts(io.BytesIO(text.getvalue().encode(encoding)), "any.csv", "Friends")

        assert (report.taken, report.refused) == (len(rows), 0)
        assert stored() == expected(rows)

    @limited
    @given(rows_of_text)
    def test_whatever_text_a_cell_holds_comes_back_the_same_from_a_workbook(self, rows):
        rows = [(writable(name), writable(city)) for name, city in rows]
        book = openpyxl.Workbook()
        sheet = book.active
        sheet.append(["email", "name", "city"])
        for number, row in enumerate(rows):
            sheet.append([f"person{number}@example.com", *row])
            for cell in sheet[number + 2]:
                cell.data_type = "s"  # text, also where it begins like a formula
        file = io.BytesIO()
        book.save(file)

        report = import_contacts(file, "any.xlsx", "Friends")

        assert (report.taken, report.refused) == (len(rows), 0)
        assert stored() == expected(rows)

    @settings(limited, max_examples=200)
    @given(
        st.binary(max_size=400),
        st.sampled_from([b"", b"email\n", b"email,name\na@example.com,", b"\xff\xfe"]),
    )
    def test_any_bytes_give_a_report_or_a_refusal(self, content, start):
        check_answer(start + content)

    @settings(limited, max_examples=100)
    @given(st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), min_size=1, max_size=20))
    def test_a_damaged_workbook_gives_a_report_or_a_refusal(self, damages):
        content = bytearray(small_workbook())
        for place, value in damages:
            # Its length differs from time to time: a workbook holds the time it was made at.
            content[place % len(content)] = value
        check_answer(bytes(content))


def writable(text: str) -> str:
    """Without what XML can't hold, and with its one line end (XML 1.0, sections 2.2 and 2.11)."""
    text = ILLEGAL_CHARACTERS_RE.sub("", text).translate({0xFFFE: None, 0xFFFF: None})
    return text.replace("\r\n", "\n").replace("\r", "\n")


def small_workbook() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["email", "name"])
    book.active.append(["anna@example.com", "Anna"])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def check_answer(content: bytes) -> None:
    try:
        report = import_contacts(io.BytesIO(content), "any", "Friends")
    except ImportRefused as refusal:
        assert str(refusal).endswith(".")  # noqa: PT017
        assert not Contact.objects.exists()
        return
    assert isinstance(report, ImportReport)
    assert report.read == report.taken + report.merged + report.unchanged + report.refused
    assert Contact.objects.count() == report.taken


@pytest.mark.django_db
@given(
    st.lists(st.sampled_from(['"', "\n", "\r", ",", ";", "a@example.com", "email", " ", "é"]), max_size=30)
)
@settings(limited, suppress_health_check=list(HealthCheck))
def test_any_mix_of_quotes_ends_and_delimiters_gives_a_report_or_a_refusal(parts):
    Contact.objects.all().delete()
    check_answer("".join(parts).encode())
