"""How files are read: encodings, delimiters, quoting, line numbers, workbooks."""

import datetime
import io
import zipfile

import openpyxl
import pytest

from campaigns.importing import ImportReport, import_contacts
from campaigns.models import Contact

pytestmark = pytest.mark.django_db

GERMAN = (
    "E-Mail;Vorname;Nachname;Ort\njoerg@example.com;Jörg;Müller;Köln\nkaethe@example.com;Käthe;Groß;Fürth\n"
)
FRENCH = (
    "Adresse e-mail;Prénom;Nom;Ville\n"
    "h@example.com;Hélène;Lefèvre;Orléans\nf@example.com;François;Noël;Nîmes\n"
)
SPANISH = (
    "Correo electrónico;Nombre;Apellidos;Ciudad\n"
    "i@example.com;Íñigo;Núñez;Málaga\nj@example.com;José;Peña;Ávila\n"
)
POLISH = (
    "E-mail;Imię;Nazwisko;Miasto\nl@example.com;Łukasz;Wałęsa;Gdańsk\nz@example.com;Świętosława;Żółć;Łódź\n"
)
RUSSIAN = "E-mail;Имя;Фамилия;Город\ni@example.com;Иван;Петров;Москва\nm@example.com;Мария;Соколова;Казань\n"


def run(content: bytes) -> ImportReport:
    return import_contacts(io.BytesIO(content), "contacts", "Friends")


def values(email: str) -> dict[str, str]:
    return Contact.objects.get(email=email).attributes


@pytest.mark.parametrize(
    ("text", "encoding", "named"),
    [
        (GERMAN, "utf-8", "utf-8"),
        (GERMAN, "utf-8-sig", "utf-8-sig"),
        (GERMAN, "utf-16", "utf-16"),
        (GERMAN, "utf-32", "utf-32"),
        (GERMAN, "cp1252", "windows-1252"),
        (FRENCH, "cp1252", "windows-1252"),
        (SPANISH, "cp1252", "windows-1252"),
        (POLISH, "cp1250", "cp1250"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "utf-8", "utf-8"),
    ],
)
def test_the_encoding_is_found_out(text, encoding, named):
    report = run(text.encode(encoding))

    assert report.source == f"text, {named}, delimiter semicolon"
    for line in text.splitlines()[1:]:
        email, *cells = line.split(";")
        assert set(values(email).values()) == set(cells)


def test_big_endian_utf_16_with_its_mark_is_read():
    run(b"\xfe\xff" + GERMAN.encode("utf-16-be"))

    assert values("joerg@example.com")["ort"] == "Köln"


def test_one_umlaut_far_behind_plain_text_tells_the_encoding():
    rows = "".join(f"person{number}@example.com;Plain\n" for number in range(5000))

    report = run(f"email;city\n{rows}last@example.com;Köln\n".encode("cp1252"))

    assert report.source == "text, windows-1252, delimiter semicolon"
    assert values("last@example.com") == {"city": "Köln"}


@pytest.mark.parametrize(
    ("delimiter", "named"), [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "bar")]
)
def test_the_delimiter_is_found_out(delimiter, named):
    lines = ["e-mail;a,b", 'anna@example.com;"1,2;3|4\t5"']
    header, row = (line.replace(";", delimiter, 1) for line in lines)

    report = run(f"{header.replace('a,b', 'x')}\n{row}\n".encode())

    assert report.source.endswith(named)
    assert values("anna@example.com") == {"x": "1,2;3|4\t5"}


def test_a_delimiter_within_a_quoted_header_does_not_mislead():
    run(b'"a;b;c;d","email"\nx,anna@example.com\n')

    assert values("anna@example.com") == {"a_b_c_d": "x"}


def test_excels_line_that_names_the_delimiter_is_no_header():
    report = run(b"sep=;\r\nemail;x\r\nanna@example.com;1,5\r\nbad;2\r\n")

    assert values("anna@example.com") == {"x": "1,5"}
    assert report.refused_rows[0].line == 4


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_numbers_are_those_of_the_file_after_fields_of_several_lines(end):
    lines = [
        "email,note",
        'a@example.com,"one',
        "two",
        'three"',
        "",
        "bad,x",
        '"',
        'worse","',
        '"',
        "a@example.com,",
    ]

    report = run(end.join(lines).encode())

    assert [row.line for row in report.refused_rows] == [6, 7]
    assert [(row.line, row.first_line) for row in report.duplicate_rows] == [(10, 2)]
    assert values("a@example.com") == {"note": f"one{end}two{end}three"}


def test_rows_without_anything_are_no_rows():
    report = run(b"\n;;\nemail;x;\n;;\n\na@example.com;1;\n  ; ;\n")

    assert (report.read, report.taken) == (1, 1)


def test_a_row_with_too_many_values_is_refused_and_one_with_too_few_is_taken():
    report = run(b"email,name,city\na@example.com,Maier, Anna,Bonn\nb@example.com\n")

    assert [(row.line, row.value) for row in report.refused_rows] == [(2, "a@example.com")]
    assert "4 values for 3 columns" in report.refused_rows[0].reason
    assert Contact.objects.get().email == "b@example.com"


def test_one_column_of_addresses_needs_no_header():
    report = run(b"anna@example.com\nben@example.com\nbad\n")

    assert (report.read, report.taken, report.refused) == (3, 2, 1)
    assert report.fields == {"email": ""}


def test_a_workbook_is_read_as_it_looks():
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.append(["E-Mail", "Name", "PLZ", "Since", "At", "Size", "Share", "Member", None, "Sum"])
    sheet.append(
        [
            "anna@example.com",
            "Änne",
            1067,
            datetime.date(2024, 2, 29),
            datetime.datetime(2024, 2, 29, 13, 30),
            180.0,
            0.1 + 0.2,
            True,
            "unnamed",
            "=1+1",
        ]
    )
    sheet["C2"].number_format = "00000"
    sheet.append([])
    sheet.append(["bad"])
    file = io.BytesIO()
    book.save(file)

    report = import_contacts(file, "book.xlsx", "Friends")

    assert report.source == "workbook, sheet “Sheet”"
    assert [row.line for row in report.refused_rows] == [4]
    assert Contact.objects.get().name == "Änne"
    assert values("anna@example.com") == {
        "plz": "01067",
        "since": "2024-02-29",
        "at": "2024-02-29 13:30",
        "size": "180",
        "share": "0.3",
        "member": "yes",
        "column_9": "unnamed",
    }


def test_a_workbook_with_a_hidden_first_sheet_shared_strings_and_wrong_dimensions_is_read():
    book = openpyxl.Workbook()
    book.active.sheet_state = "hidden"
    book.create_sheet("People")
    source, target = io.BytesIO(), io.BytesIO()
    book.save(source)
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    sheet = (
        f'<worksheet xmlns="{main}"><dimension ref="A1:A1"/><sheetData>'
        '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>'
        '<row r="3"><c r="A3" t="s"><v>2</v></c><c r="B3" t="s"><v>3</v></c></row>'
        '<row r="7"><c r="B7" t="s"><v>3</v></c></row></sheetData></worksheet>'
    )
    texts = "".join(f"<si><t>{text}</t></si>" for text in ("Mail", "Ort", "anna@example.com", "Köln"))
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name).decode()
            if name == "xl/worksheets/sheet2.xml":
                content = sheet
            if name == "[Content_Types].xml" and "sharedStrings" not in content:
                override = f'<Override PartName="/xl/sharedStrings.xml" ContentType="{kind}"/></Types>'
                content = content.replace("</Types>", override)
            if name != "xl/sharedStrings.xml":
                new.writestr(name, content)
        new.writestr("xl/sharedStrings.xml", f'<sst xmlns="{main}">{texts}</sst>')

    report = import_contacts(target, "book.xlsx", "Friends")

    assert report.source == "workbook, sheet “People”"
    assert values("anna@example.com") == {"ort": "Köln"}
    assert [(row.line, row.reason) for row in report.refused_rows] == [(7, "The address is missing.")]
