"""Merge fields: Liquid templates (https://shopify.github.io/liquid/) over a contact's plain values.

What a template may do is bounded: no files, no objects, no endless loops, no endless output.
"""

import inspect
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from django.utils.translation import gettext as _
from liquid import Environment, RenderContext
from liquid.ast import Node
from liquid.builtin.expressions import FilteredExpression, Path
from liquid.builtin.expressions.filtered import Filter
from liquid.exceptions import (
    LiquidError,
    LiquidSyntaxError,
    LoopIterationLimitError,
    OutputStreamLimitError,
    ResourceLimitError,
)
from liquid.expression import Expression
from liquid.template import BoundTemplate
from liquid.token import Token

from accounts.words import number
from campaigns.template_errors import TemplateError, explained, line_of, meant

# Gmail cuts a message off after 102 KB; ten times that is a mistake in the template.
MAX_OUTPUT = 1_000_000
MAX_LOOPS = 10_000
MAX_NUMBER_BITS = 4096
# PostgreSQL stores neither NUL nor lone surrogates.
_UNSTORABLE = re.compile(r"[\x00\ud800-\udfff]")
_BUILT_IN = frozenset({"now", "today"})


class _BoundedContext(RenderContext):
    """Bounds what filters make on the way: the library only bounds what is put out or assigned."""

    def filter(self, name: str, token: Token | None) -> Callable[..., object]:
        return partial(_apply_bounded, name, super().filter(name, token))


class _Template(BoundTemplate):
    context_class = _BoundedContext


class _Environment(Environment):
    template_class = _Template
    loop_iteration_limit = MAX_LOOPS
    output_stream_limit = MAX_OUTPUT
    local_namespace_limit = MAX_OUTPUT
    context_depth_limit = 30
    block_nesting_limit = 30

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        super().setup_tags_and_filters(extra=extra)
        for tag in ("include", "render"):
            del self.tags[tag]
        # A contact's data is never HTML: it comes out of other people's spreadsheets.
        del self.filters["safe"]

    def error(
        self, exc: type[LiquidError] | LiquidError, msg: str | None = None, token: Token | None = None
    ) -> None:
        """Adds the position that the library leaves out where an expression ends too early."""
        if isinstance(exc, LiquidError) and (exc.token is None or exc.token.start_index < 0):
            exc.token = token
        super().error(exc, msg, token)


_PLAIN = _Environment()
_HTML = _Environment(autoescape=True)


def parse(source: str, *, html: bool = False) -> BoundTemplate:
    """The template of this source; with html, values are escaped where they are put in.

    Raises TemplateError where it can't be parsed, uses an unknown filter, or a filter wrongly.
    """
    environment = _HTML if html else _PLAIN
    try:
        template = environment.from_string(source)
    except LiquidError as error:
        raise _explained(error, source) from None
    except RecursionError:
        raise TemplateError(None, _("it is nested too deeply.")) from None
    for used in _filters(template.nodes):
        _check_filter(environment, used, source)
    return template


def validate(source: str) -> None:
    """Raises TemplateError when the source can't be parsed or can't be rendered for anybody."""
    for place, line in enumerate(source.split("\n"), start=1):
        if _UNSTORABLE.search(line):
            raise TemplateError(place, _("it has a character that can't be stored; type the line again."))
    template = parse(source)
    try:
        template.render()
    except (LiquidSyntaxError, ResourceLimitError) as error:
        raise _explained(error, source) from None
    except Exception:  # without values a sound template may well fail: 1 / missing
        return


def render(template: BoundTemplate, values: Mapping[str, object]) -> str:
    """The text of the template for these values; what is missing is empty. Raises TemplateError."""
    try:
        return template.render(values)
    except LiquidError as error:
        raise _explained(error, error.token.source if error.token else "") from None
    except Exception as error:
        # The library's filters leak what Python raises on odd values; one contact's must not
        # stop the others, and its text may quote the contact's data.
        raise TemplateError(
            None, _("a value can't be used there (%(kind)s).") % {"kind": type(error).__name__}
        ) from None


def merge_fields(source: str) -> set[str]:
    """The names of the contact's fields that the source uses. Raises TemplateError."""
    return set(parse(source).analyze(include_partials=False).globals) - _BUILT_IN


def fields_with_default(source: str) -> set[str]:
    """The merge fields that have a `default` filter wherever they are used. Raises TemplateError."""
    template = parse(source)
    guarded = {
        expression.left.token.start_index
        for expression in _expressions(template.nodes)
        if isinstance(expression, FilteredExpression)
        and isinstance(expression.left, Path)
        and any(used.name == "default" for used in expression.filters or ())
    }
    fields = template.analyze(include_partials=False).globals
    return {
        name for name, uses in fields.items() if all(use.span.index in guarded for use in uses)
    } - _BUILT_IN


# --- Bounds ---


def _apply_bounded(name: str, apply: Callable[..., object], value: object, *args: Any, **kw: Any) -> object:
    if any(isinstance(given, range) and len(given) > MAX_LOOPS for given in (value, *args)):
        raise LoopIterationLimitError("range limit reached", token=None)
    if _grown_size(name, value, args) > MAX_OUTPUT:
        raise OutputStreamLimitError("output limit reached", token=None)
    result = apply(value, *args, **kw)
    if isinstance(result, int) and result.bit_length() > MAX_NUMBER_BITS:
        raise ResourceLimitError("number limit reached", token=None)
    if isinstance(result, str | list) and len(result) > MAX_OUTPUT:
        raise OutputStreamLimitError("output limit reached", token=None)
    return result


def _grown_size(name: str, value: object, args: tuple[Any, ...]) -> int:
    """How long the result of the two filters that multiply lengths may get."""
    if name == "replace" and args:
        return len(str(value)) + str(value).count(str(args[0])) * len(str(args[1] if args[1:] else ""))
    if name == "join" and args and isinstance(value, list | range):
        return len(value) * len(str(args[0]))
    return 0


# --- Looking into a template ---


def _expressions(nodes: Iterable[Node]) -> Iterator[Expression]:
    for node in nodes:
        for expression in node.expressions():
            yield from _with_children(expression)
        yield from _expressions(node.children(_NO_CONTEXT, include_partials=False))


def _with_children(expression: Expression) -> Iterator[Expression]:
    yield expression
    for child in expression.children():
        yield from _with_children(child)


def _filters(nodes: Iterable[Node]) -> Iterator[Filter]:
    for expression in _expressions(nodes):
        if isinstance(expression, FilteredExpression):
            yield from expression.filters or ()


_NO_CONTEXT = RenderContext(_PLAIN.from_string(""))


def _check_filter(environment: Environment, used: Filter, source: str) -> None:
    """The library would only find these when it renders: after the campaign has started."""
    line = source.count("\n", 0, used.token.start_index) + 1
    function = environment.filters.get(used.name)
    if function is None:
        told = {"name": used.name, "right": meant(used.name, environment.filters)}
        if told["right"]:
            text = _("there is no filter “%(name)s”; did you mean “%(right)s”?")
        else:
            text = _("there is no filter “%(name)s”.")
        raise TemplateError(line, text % told)
    positional: list[object] = [None]
    named: dict[str, object] = {
        given: None for given in ("context", "environment") if getattr(function, f"with_{given}", False)
    }
    for argument in used.args:
        if name := getattr(argument, "name", None):
            named[name] = None
        else:
            positional.append(None)
    try:
        inspect.signature(function).bind(*positional, **named)
    except TypeError:
        raise TemplateError(
            line,
            _("the filter “%(name)s” has too many or too few values behind its colon.") % {"name": used.name},
        ) from None


# --- Errors in plain words ---


def _explained(error: LiquidError, source: str) -> TemplateError:
    if isinstance(error, LiquidSyntaxError):
        return explained(error, source, _PLAIN)
    return TemplateError(line_of(error), _failed(error))


def _failed(error: LiquidError) -> str:
    """Why a template that can be read can't be rendered. The library's message may quote a value."""
    match error:
        case LoopIterationLimitError():
            return _("it loops more than %(most)s times.") % {"most": number(MAX_LOOPS)}
        case ResourceLimitError():
            return _("it is too deeply nested, or makes too much text or too large a number.")
        case _:
            return _("a filter or a comparison can't work with the value it gets.")
