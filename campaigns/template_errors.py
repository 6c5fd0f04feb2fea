"""What is wrong with a template, in words for who wrote it: the line, the mistake, and how to mend it.

The library's parser tells a mistake in terms of its grammar. KNOWN says what each of its messages means to
a person; only for a message that is not in there its own words are shown.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from liquid import Environment
from liquid.exceptions import LiquidError

EXAMPLES = {
    "if": '{% if city == "Bonn" %}',
    "elsif": '{% elsif city == "Bonn" %}',
    "unless": '{% unless city == "Bonn" %}',
    "case": "{% case city %}",
    "when": '{% when "Bonn" %}',
    "for": "{% for item in items %}",
    "tablerow": "{% tablerow item in items %}",
    "assign": '{% assign greeting = "Hello" %}',
    "capture": "{% capture greeting %}",
    "cycle": '{% cycle "odd", "even" %}',
    "increment": "{% increment counter %}",
    "decrement": "{% decrement counter %}",
}
# Where a tag belongs that stands between two others.
BETWEEN = {
    "else": "if", "elsif": "if", "when": "case", "break": "for", "continue": "for",
}  # fmt: skip
_MARKUP = re.compile(r"\{\{.*?\}\}+|\{%.*?(?:%\}|\}\})", re.DOTALL)
_SHOWN = 60  # characters of the template in a sentence


class TemplateError(Exception):
    """A template that can't be used: `line` (from 1; None when unknown) and `reason`, for staff.

    Neither holds a contact's data.
    """

    def __init__(self, line: int | None, reason: str):
        told = {"line": line, "reason": reason}
        super().__init__(_("line %(line)s: %(reason)s") % told if line else reason)
        self.line = line
        self.reason = reason


@dataclass(frozen=True)
class Known:
    """What a message of the parser means. Each of said, markup and kind is a pattern.

    said: of the whole message; markup: to be found in the tag or the output that it is about.
    sentence may name the groups of both, and %(markup)s, %(tag)s, %(found)s and %(example)s.
    """

    said: str
    sentence: str | Promise
    markup: str = ""

    def told(self, facts: Mapping[str, str]) -> str:
        """The sentence, or "" where this is not what was said."""
        said = re.fullmatch(self.said, facts["said"])
        inside = re.search(self.markup, facts["markup"])
        if not (said and inside) or ("%(example)s" in str(self.sentence) and not facts["example"]):
            return ""
        return str(self.sentence) % {**facts, **said.groupdict(), **inside.groupdict()}


# The first that fits is told.
KNOWN = (
    # What an editor of HTML leaves between the braces
    Known(".*", _lazy("“%(piece)s” in %(markup)s is HTML: type the character itself."),
          markup=r"(?P<piece>&(?:[a-z]+|#\d+);)"),
    Known(".*", _lazy("%(markup)s has HTML in it: take “%(piece)s” out."),
          markup=r"(?P<piece></?[a-zA-Z][^<>]*>)"),
    Known(r"unexpected '(?P<piece>[“”„«»‘’‚‹›])'",
          _lazy("%(markup)s has a typographic quotation mark (%(piece)s): type a straight one, ' or \".")),
    # Not closed
    Known(r"expected '}}', found end of file",
          _lazy("“{{” is not closed: add “}}” behind the name of the field, as in {{ first_name }}.")),
    Known(r"missing tag name or closing delimiter",
          _lazy("“{%%” begins a tag that has no name or is not closed: write it as in {%% if city %%}.")),
    Known(r"(?P<name>\w+) tag wa[sd] never closed",
          _lazy("the tag {%% %(name)s %%} is not closed: add {%% end%(name)s %%}.")),
    Known(r"unexpected '}'",
          _lazy("%(markup)s ends with “}}”: a tag that begins with “{%%” ends with “%%}”."),
          markup=r"^\{%"),
    Known(r"unexpected '\{'",
          _lazy("%(markup)s has a brace too many: a field stands between two, as in {{ first_name }}.")),
    Known(r"""unexpected (?P<open>"'"|'"').*""",
          _lazy("a quotation mark in %(markup)s is not closed: add another one of the same kind.")),
    Known(r"missing or unexpected path segment", _lazy("“[” in %(markup)s is not closed: add “]”.")),
    Known(r"expected '\)', found .*", _lazy("“(” in %(markup)s is not closed: add “)”.")),
    # Conditions
    Known(r"unexpected '&'", _lazy("write “and” instead of “&” in %(markup)s.")),
    Known(r"expected end of expression, found dpipe", _lazy("write “or” instead of “||” in %(markup)s."),
          markup=r"^\{%"),
    Known(r"expected end of expression, found '='",
          _lazy("%(markup)s compares: write two equals signs, “==”.")),
    Known(r"disallowed not operator .*",
          _lazy("%(markup)s can't have “not”: use {%% unless city %%} … {%% endunless %%}.")),
    Known(r"disallowed parentheses .*",
          _lazy("%(markup)s can't have parentheses: put one tag into another.")),
    Known(r"unknown operator .*",
          _lazy("“%(found)s” in %(markup)s is unknown: there are ==, !=, <, >, <=, >= and contains.")),
    Known(r"disallowed ternary expression",
          _lazy("%(markup)s has a condition: put it into a tag, {%% if city %%} … {%% endif %%}.")),
    # Tags that say too little, or something else
    Known(r"every line of an inline comment .*",
          _lazy("each line of the comment %(markup)s begins with “#”.")),
    Known(r"missing expression", _lazy("%(markup)s lacks something: write it as in %(example)s.")),
    Known(r"missing expression|expected expression, found content",
          _lazy("one of the tags in %(markup)s lacks something."), markup=r"^\{%"),
    Known(r"expected a primitive expression, found end of expression",
          _lazy("%(markup)s is empty: write the name of a field, as in {{ first_name }}."),
          markup=r"^\{\{\s*\}"),
    Known(r"expected .*, found end of expression",
          _lazy("%(markup)s lacks the name of a filter behind “|”, as in "
                '{{ first_name | default: "you" }}.'),
          markup=r"\|\s*(?:\}|%\})"),
    Known(r"expected (?:in|'='|an identifier|a name|a primitive expression), found .*"
          r"|expected 'reversed', 'offset' or 'limit'.*|unexpected token .*",
          _lazy("%(markup)s is not complete: write it as in %(example)s."),
          markup=r"^\{%"),
    # Fields and filters
    Known(r"expected a primitive expression, found pipe",
          _lazy("%(markup)s lacks the name of a field before “|”, as in {{ first_name | upcase }}.")),
    Known(r"expected a primitive expression, found (?P<word>\w+)",
          _lazy("“%(word)s” in %(markup)s means something of its own and is no field; the field of a column "
                "of this name is %(word)s_value."),
          markup=r"^\{\{\s*\w+\s*\}"),
    Known(r"expected an identifier, found .*",
          _lazy("%(markup)s lacks a name behind the dot, as in {{ address.city }}.")),
    Known(r"expected end of expression, found word",
          _lazy("%(markup)s names two things: a field's name has no spaces, as in "
                "{{ %(first)s_%(second)s }}."),
          markup=r"^\{\{\s*(?P<first>\w+)\s+(?P<second>\w+)"),
    Known(r"expected end of expression, found (?:string|word|integer|float)",
          _lazy("a colon is missing behind the filter %(name)s: write %(name)s: and then its value."),
          markup=r"\|\s*(?P<name>\w+)\s+[\w'\"]"),
    Known(r"expected end of expression, found word",
          _lazy("%(markup)s lacks something before “%(found)s”: a comparison such as ==, “and” or “or”."),
          markup=r"^\{%"),
    Known(r"expected a comma separated list of arguments, .*",
          _lazy("%(markup)s lacks a comma between two values of a filter.")),
    Known(r"unexpected '.*'",
          _lazy("“%(found)s” can't stand in %(markup)s: names have letters, digits and underscores only.")),
    Known(r"(?:un)?expected .*",
          _lazy("%(markup)s can't be read from “%(found)s” on: take that out, or mend it."), markup=r"^\{"),
)  # fmt: skip


def explained(error: LiquidError, source: str, environment: Environment) -> TemplateError:
    """The error of a parser as a person is told it: the line, and a sentence of what is wrong."""
    said = str(error.message)
    if said.startswith("expected tag end"):
        name = said.removeprefix("expected tag end").split(",")[0]
        return TemplateError(_unclosed_line(source, name, environment), _not_closed(name))
    if said == "unexpected tag 'end of expression'":  # the library's own words for a "case" without its end
        return TemplateError(_unclosed_line(source, "case", environment), _not_closed("case"))
    at = _place(error, said, source)
    line = None if at < 0 else _line(source, at)
    if misplaced := re.fullmatch(r"unexpected (?:tag )?'(?P<name>\w+)'", said):
        name = misplaced["name"]
        if said.startswith("unexpected tag") or name in BETWEEN:
            return TemplateError(line, _misplaced(name, source, at, environment))
    return TemplateError(line, _sentence(said, error, source, at))


def line_of(error: LiquidError) -> int | None:
    """The line of the template, from 1; None where the library tells no position."""
    if error.token is None or error.token.start_index < 0:
        return None
    return _line(error.token.source, error.token.start_index)


def meant(word: str, known: Mapping[str, object] | set[str]) -> str:
    """The known word that a misspelled one stands for, whatever its capitals; "" where none is like it."""
    plain = {one.lower(): one for one in known}
    found = get_close_matches(word.lower(), plain, n=1, cutoff=0.7)
    return plain[found[0]] if found else ""


def _place(error: LiquidError, said: str, source: str) -> int:
    """Where the mistake is in the source; -1 where that is unknown.

    Of an expression that ends too early the library may tell what comes behind its tag.
    """
    token = error.token
    at = token.start_index if token else -1
    if said.endswith("found end of expression") and (not token or token.kind != "expression"):
        upto = at if at >= 0 else len(source)
        return max((found.start() for found in _MARKUP.finditer(source) if found.end() <= upto), default=at)
    return at


def _sentence(said: str, error: LiquidError, source: str, at: int) -> str:
    markup = _markup_at(source, at)
    tag = re.match(r"\{%-?\s*(\w+)", markup)
    facts = {
        "said": said,
        "markup": markup,
        "tag": tag[1] if tag else "",
        "found": str(error.token.value)[:_SHOWN] if error.token else "",
        "example": EXAMPLES.get(tag[1], "") if tag else "",
    }
    return next(filter(None, (known.told(facts) for known in KNOWN)), f"{said}.")


def _markup_at(source: str, at: int) -> str:
    """The tag or the output at this place of the template, on one line, "" where there is none."""
    for found in _MARKUP.finditer(source):
        if found.start() <= at < found.end():
            text = " ".join(found[0].split())
            return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
    return ""


def _not_closed(name: str) -> str:
    return _("the tag {%% %(name)s %%} is not closed: add {%% end%(name)s %%}.") % {"name": name}


def _misplaced(name: str, source: str, at: int, environment: Environment) -> str:
    """Why a tag can't stand where it does."""
    blocks = _blocks(environment)
    if name in blocks:  # "raw": the library takes it for a tag only where its end is missing
        return _not_closed(name)
    still_open = list(_open_blocks(source, environment, at))
    opener = name.removeprefix("end") if name.startswith("end") else BETWEEN.get(name, "")
    if opener in blocks and still_open and name not in ("break", "continue"):
        inner, place = still_open[-1]
        told = {"name": name, "inner": inner, "line": _line(source, place)}
        return _(
            "{%% %(name)s %%} can't stand before the tag {%% %(inner)s %%} of line %(line)s is closed: add "
            "{%% end%(inner)s %%} before it."
        ) % told  # fmt: skip
    if name in BETWEEN:
        told = {"name": name, "opener": opener}
        return _("{%% %(name)s %%} belongs between {%% %(opener)s %%} and {%% end%(opener)s %%}.") % told
    if opener in blocks:
        told = {"name": name, "opener": opener}
        return _("{%% %(name)s %%} closes nothing: take it out, or add {%% %(opener)s %%} before it.") % told
    if name in ("include", "render"):
        return _("{%% %(name)s %%} is for web sites: a message is one text.") % {"name": name}
    ends = {f"end{block}" for block in blocks}
    if right := meant(name, {tag for tag in environment.tags if tag not in _INNER} | {*ends, *BETWEEN}):
        told = {"name": name, "right": right}
        return _("there is no tag {%% %(name)s %%}; did you mean {%% %(right)s %%}?") % told
    return _("there is no tag {%% %(name)s %%}; a field is written {{ %(name)s }}.") % {"name": name}


_INNER = ("content", "output", "illegal", "#")  # tags of the library's own


def _blocks(environment: Environment) -> set[str]:
    """The tags that have an end."""
    return {name for name, tag in environment.tags.items() if tag.block} | {"raw"}


def _open_blocks(source: str, environment: Environment, upto: int) -> Iterator[tuple[str, int]]:
    """The blocks that are open at this place, with where they begin; the innermost last."""
    blocks, found = _blocks(environment), []
    for token in environment.tokenizer()(source):
        if token.start_index >= upto:
            break
        if token.kind != "tag":
            continue
        if token.value in blocks:
            found.append((token.value, token.start_index))
        elif found and token.value == f"end{found[-1][0]}":
            found.pop()
    yield from found


def _unclosed_line(source: str, name: str, environment: Environment) -> int | None:
    """The line of the innermost block of this name that nothing closes."""
    places = [place for block, place in _open_blocks(source, environment, len(source)) if block == name]
    return _line(source, places[-1]) if places else None


def _line(source: str, at: int) -> int:
    return source.count("\n", 0, at) + 1
