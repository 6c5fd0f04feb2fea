"""Which column is what: e-mail, name, first and last name by their usual names, others as merge fields.

Where no name tells which column holds the addresses, a person is shown a guess by the values.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from campaigns.importing.cleaning import clean_name, is_address
from campaigns.importing.limits import MAX_COLUMNS
from campaigns.importing.refusal import ImportRefused

# In the spelling that _plain makes of a header: no accents, no case, letters and digits only.
USUAL_NAMES = {
    "email": """
        email emailaddress emailaddresses emailadress mail mailaddress mailid emailid e_mail
        email1 email1value emailvalue email1address primaryemail emailprimary primaryemailaddress
        contactemail customeremail useremail subscriberemail workemail businessemail personalemail
        recipient recipientemail toemail
        emailadresse emailadressen mailadresse eadresse epost elektronischepost kundenemail
        emailgeschaftlich emailprivat empfanger empfangeremail
        adresseemail adressemail adressedemail adresseelectronique adressedecourriel courriel
        courrielelectronique mel
        correo correoelectronico direcciondecorreo direcciondecorreoelectronico direccionemail
        direcciondeemail direccionelectronica correoe
        """,
    "first_name": """
        firstname givenname forename first fname
        vorname vornamen rufname
        prenom prenoms
        nombredepila primernombre nombres
        """,
    "last_name": """
        lastname surname familyname last lname
        nachname familienname zuname
        nomdefamille
        apellido apellidos primerapellido
        """,
    "name": """
        name fullname displayname contactname customername recipientname
        vollername vollstandigername anzeigename namen kundenname kontaktname vorundnachname
        nom nomcomplet nometprenom prenometnom prenomnom nomprenom
        nombre nombrecompleto nombreyapellidos nombreyapellido
        """,
}
FIELD_BY_NAME = {spelling: field for field, names in USUAL_NAMES.items() for spelling in names.split()}
IGNORED = ""  # the field of a column that a person left out
# Names that the import itself fills, or that mean something of their own in Liquid.
TAKEN = {"email", "name", "first_name", "last_name"}
LIQUID_WORDS = {
    *("and", "blank", "contains", "else", "empty", "false", "for", "if", "in", "nil", "not", "null"),
    *("cols", "continue", "limit", "offset", "required", "reversed"),
    *("or", "true", "with", "as", "forloop", "tablerowloop", "now", "today"),
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its place in the row, its header in the file, and the merge field it fills.

    is_guess: its field was guessed by its values.
    """

    index: int
    header: str
    field: str
    is_guess: bool = False


def is_email_header(header: str) -> bool:
    """Whether a column of this name usually holds addresses."""
    return FIELD_BY_NAME.get(_plain(header)) == "email"


def map_headers(headers: Sequence[str]) -> list[Column]:
    """The columns of a file by its header row. Exactly one of them fills "email".

    A second column of the same meaning becomes a merge field of its own. Raises ImportRefused when
    no column holds addresses (and says which there are), or when there are too many columns.
    """
    columns = suggest_columns(headers)
    if not any(column.field == "email" for column in columns):
        _refuse_without_email([column.header for column in columns])
    return columns


def suggest_columns(headers: Sequence[str], rows: Sequence[Sequence[str]] = ()) -> list[Column]:
    """As map_headers, for a person to correct.

    Where no header speaks of addresses, the column fills "email" whose values in these rows look most
    like it; where none does, no column fills it.
    """
    headers = _without_empty_end([clean_name(header) for header in headers])
    if len(headers) > MAX_COLUMNS:
        raise ImportRefused(
            _("The file has more than %(most)s columns. Keep those that the mails need and import again.")
            % {"most": MAX_COLUMNS}
        )
    known = _known_columns(headers)
    guess = None if "email" in known.values() else guess_email_column(len(headers), rows)
    if guess is not None:
        known[guess] = "email"
    used = set(TAKEN)
    return [
        Column(index, header, known.get(index) or _new_field(index, header, used), is_guess=index == guess)
        for index, header in enumerate(headers)
    ]


def guess_email_column(columns: int, rows: Sequence[Sequence[str]]) -> int | None:
    """Of so many columns the one with the most addresses in these rows, the first of equals.

    None where no column holds addresses in at least half of its cells that are not empty.
    """
    best, most = None, 0
    for index in range(columns):
        cells = [row[index] for row in rows if index < len(row) and row[index].strip()]
        addresses = sum(map(is_address, cells))
        if addresses > most and 2 * addresses >= len(cells):
            best, most = index, addresses
    return best


def choose_columns(headers: Sequence[str], fields: Sequence[str]) -> list[Column]:
    """The columns as a person mapped them: a field for each, IGNORED for one that is left out.

    Raises ImportRefused when the file has other columns, or when the fields don't suit each other.
    """
    headers = _without_empty_end([clean_name(header) for header in headers])
    if len(headers) != len(fields):
        raise ImportRefused(
            _("The file has %(columns)s columns, and %(fields)s were mapped. Upload it again.")
            % {"columns": len(headers), "fields": len(fields)}
        )
    check_fields(fields)
    return [Column(index, header, fields[index]) for index, header in enumerate(headers)]


def check_fields(fields: Sequence[str]) -> None:
    """Raises ImportRefused unless exactly one column fills "email", and no two the same field."""
    used = [field for field in fields if field != IGNORED]
    if used.count("email") != 1:
        raise ImportRefused(_("Choose exactly one column that holds the e-mail addresses."))
    twice = sorted({field for field in used if used.count(field) > 1})
    if twice:
        raise ImportRefused(
            _("Two columns can't fill the same field: %(twice)s. Ignore or rename one.")
            % {"twice": ", ".join(twice)}
        )
    for field in used:
        if field not in TAKEN and merge_field(field) != field[:60].rstrip("_"):
            raise ImportRefused(_("“%(field)s” can't be the name of a merge field.") % {"field": field[:60]})


def merge_field(name: str) -> str:
    """A merge field's name as Liquid takes it, by what a person calls it: “Shoe size” is shoe_size; or ""."""
    return _identifier(clean_name(name))


def _known_columns(headers: Sequence[str]) -> dict[int, str]:
    places: dict[str, int] = {}
    for index, header in enumerate(headers):
        if field := FIELD_BY_NAME.get(_plain(header)):
            places.setdefault(field, index)
    if "email" not in places and (place := _only_column_that_speaks_of_email(headers)) is not None:
        places["email"] = place
    # "Vorname; Name" and "Nombre; Apellidos": beside one part of a name, "name" is the other part.
    if "name" in places and ("first_name" in places) != ("last_name" in places):
        other = "last_name" if "first_name" in places else "first_name"
        places[other] = places.pop("name")
    return {index: field for field, index in places.items()}


def _only_column_that_speaks_of_email(headers: Sequence[str]) -> int | None:
    found = [index for index, header in enumerate(headers) if re.search("email|courriel", _plain(header))]
    return found[0] if len(found) == 1 else None


def _refuse_without_email(headers: Sequence[str]) -> None:
    names = ", ".join(f"“{header[:60]}”" for header in headers[:20] if header) or _("none with a name")
    raise ImportRefused(
        _(
            "No column is known to hold the e-mail addresses. Name one of them “email” in the first row "
            "and import again. Columns found: %(names)s."
        )
        % {"names": names}
    )


def _new_field(index: int, header: str, used: set[str]) -> str:
    field = base = _identifier(header) or f"column_{index + 1}"
    number = 1
    while field in used:
        number += 1
        field = f"{base}_{number}"
    used.add(field)
    return field


def _identifier(header: str) -> str:
    """A header as a name that Liquid takes: “Größe (cm)” is grosse_cm; other scripts stay as they are."""
    spelled = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", header)
    plain = "".join(char for char in _folded(spelled) if char <= "\uffff")
    field = re.sub(r"\W+", "_", plain).strip("_")[:60].rstrip("_")
    if not field:
        return ""
    if field[0].isdigit():
        return f"field_{field}"
    return f"{field}_value" if field in LIQUID_WORDS else field


def _plain(header: str) -> str:
    return re.sub(r"[\W_]+", "", _folded(header))


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(char for char in decomposed if not unicodedata.combining(char))


def _without_empty_end(headers: list[str]) -> list[str]:
    while headers and not headers[-1]:
        headers.pop()
    return headers
