"""The `search` and `order` parameters: a small language like the `where` and `order by` of SQL, over dotted attributes.

::

    product.id = 'rosa' AND (id = 'K' OR name LIKE 'k%') AND NOT state IN ('error', 'unknown')

As much of it as `rosa` and we use. An attribute that an object lacks fits no comparison.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.ocm.errors import bad_request

Test = Callable[[Mapping[str, Any]], bool]

_TOKEN = re.compile(r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<word>[\w.\-]+)|(?P<sign><=|>=|!=|<>|~=|[=<>(),]))")
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "=": lambda have, want: have == want,
    "!=": lambda have, want: have != want,
    "<>": lambda have, want: have != want,
    "<": lambda have, want: have < want,
    ">": lambda have, want: have > want,
    "<=": lambda have, want: have <= want,
    ">=": lambda have, want: have >= want,
    "~=": lambda have, want: re.search(want, have) is not None,
    "LIKE": lambda have, want: _like(want).fullmatch(have) is not None,
    "ILIKE": lambda have, want: _like(want.lower()).fullmatch(have.lower()) is not None,
}


def compile_search(search: str) -> Test:
    """A test for objects. Raises OcmError 400 where the text is not understood; empty text fits everything."""
    if not search.strip():
        return lambda _object: True
    parser = _Parser(search)
    test = parser.alternatives()
    if parser.peek():
        raise parser.problem()
    return test


def sorted_by(items: Sequence[Mapping[str, Any]], order: str) -> list[Mapping[str, Any]]:
    """*items* by `order`: attributes with `asc` or `desc`, separated by commas. Raises OcmError 400."""
    ordered = list(items)
    for part in reversed([each.split() for each in order.split(",")]):
        if not part or len(part) > 2 or (part[1:] and part[1].lower() not in {"asc", "desc"}):
            raise bad_request(f"Can't parse order '{order}'")
        name, descending = part[0], part[-1].lower() == "desc" and len(part) == 2
        ordered.sort(key=lambda item: _text(_value(item, name)) or "", reverse=descending)
    return ordered


class _Parser:
    """Recursive descent over the tokens of one search."""

    def __init__(self, search: str) -> None:
        self._search = search
        self._tokens: list[str] = []
        at = 0
        while at < len(search.rstrip()):
            match = _TOKEN.match(search, at)
            if match is None:
                raise self.problem()
            self._tokens.append(match[0].strip())
            at = match.end()

    def problem(self) -> Exception:
        return bad_request(f"Can't parse search '{self._search}'")

    def peek(self) -> str:
        return self._tokens[0] if self._tokens else ""

    def alternatives(self) -> Test:
        tests = [self._conjunction()]
        while self._takes("OR"):
            tests.append(self._conjunction())
        return lambda item: any(test(item) for test in tests)

    def _conjunction(self) -> Test:
        tests = [self._factor()]
        while self._takes("AND"):
            tests.append(self._factor())
        return lambda item: all(test(item) for test in tests)

    def _factor(self) -> Test:
        if self._takes("NOT"):
            inner = self._factor()
            return lambda item: not inner(item)
        if self._takes("("):
            inner = self.alternatives()
            self._expect(")")
            return inner
        return self._comparison()

    def _comparison(self) -> Test:
        name = self._next()
        if not re.fullmatch(r"[A-Za-z_][\w.]*", name):
            raise self.problem()
        negated = self._takes("NOT")
        if self._takes("IN"):
            found = self._membership(name)
        else:
            sign = self._next().upper()
            if sign not in _COMPARISONS:
                raise self.problem()
            found = _comparing(name, _COMPARISONS[sign], self._literal())
        return (lambda item: not found(item)) if negated else found

    def _membership(self, name: str) -> Test:
        self._expect("(")
        values = {self._literal()}
        while self._takes(","):
            values.add(self._literal())
        self._expect(")")
        return lambda item: _text(_value(item, name)) in values

    def _literal(self) -> str:
        token = self._next()
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if re.fullmatch(r"-?\d+|true|false", token, re.IGNORECASE):
            return token.lower()
        raise self.problem()

    def _next(self) -> str:
        if not self._tokens:
            raise self.problem()
        return self._tokens.pop(0)

    def _takes(self, word: str) -> bool:
        if self.peek().upper() != word:
            return False
        self._tokens.pop(0)
        return True

    def _expect(self, word: str) -> None:
        if not self._takes(word):
            raise self.problem()


def _comparing(name: str, compare: Callable[[str, str], bool], want: str) -> Test:
    def test(item: Mapping[str, Any]) -> bool:
        have = _text(_value(item, name))
        return have is not None and compare(have, want)

    return test


def _like(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"([%_])", pattern)
    return re.compile("".join({"%": ".*", "_": "."}.get(part, re.escape(part)) for part in parts), re.DOTALL)


def _value(item: Any, name: str) -> Any:
    """The attribute with that dotted name; None where there is none."""
    for part in name.split("."):
        item = item.get(part) if isinstance(item, Mapping) else None
    return item


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)
