"""YAML as such: words on whose meaning readers disagree, keys given twice, aliases, nesting, size."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from chalicelib.fleet.problems import FleetError
from chalicelib.fleet.text import Doubtful, read_yaml, resolve


def told(text: str) -> list[str]:
    """What is wrong with the text as YAML, without the file's name."""
    try:
        return [problem.render("f").removeprefix("f:") for problem in read_yaml(text, "f").problems]
    except FleetError as error:
        return [line.removeprefix("f:") for line in str(error).splitlines()]


def values(text: str) -> Any:
    document = read_yaml(text, "f")
    assert document.problems == []
    return document.values


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("10.0.0.1", "10.0.0.1"), ("i-0abc", "i-0abc"), ("2bh6ff", "2bh6ff"), ("y", "y"), ("1.2.3", "1.2.3"),
        ("v1", "v1"), ("-", "-"), ("28", 28), ("-3", -3), ("0", 0), ("0.25", 0.25), (".5", 0.5), ("1.", 1.0),
        ("true", True), ("FALSE", False), ("~", None), ("", None), ("null", None),
    ],
)  # fmt: skip
def test_words_that_are_the_same_to_all(word: str, value: object) -> None:
    """Addresses, names, plain numbers and truth values mean what anyone would think."""
    assert resolve(word) == value
    assert type(resolve(word)) is type(value)


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("on", "truth value"), ("Off", "truth value"), ("yes", "truth value"), ("NO", "truth value"),
        ("YES", "truth value"), ("OFF", "truth value"),
        ("1e3", "which number"), ("1.5e3", "which number"), ("22:30", "which number"), ("1:30.5", "which number"),
        ("010", "which number"), ("089", "which number"), ("0o17", "which number"), ("0b101", "which number"),
        ("0x1F", "which number"), ("1_000", "which number"), ("-.5", "which number"), (".inf", "which number"),
        (".nan", "which number"), ("1" * 30, "which number"), ("123e456", "which number"),
        ("2026-01-01", "date"), ("2026-01-01T00:00:00Z", "date"), ("2026-1-1 10:00:00", "date"),
        ("=", "meaning of its own"), ("<<", "meaning of its own"),
    ],
)  # fmt: skip
def test_words_in_doubt(word: str, advice: str) -> None:
    """A bare word that YAML 1.1 and 1.2 read differently is refused wherever it stands, with what to write."""
    answer = resolve(word)
    assert isinstance(answer, Doubtful)
    assert advice in answer.advice
    assert values(f'a: "{word}"') == {"a": word}


laws = settings(max_examples=100, deadline=None)

WORDS = st.one_of(
    st.from_regex(r"[-+]?[0-9_.:oxbeE+-]{1,8}", fullmatch=True),
    st.from_regex(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt ][0-9:.]{0,12}Z?)?", fullmatch=True),
    st.sampled_from(["yes", "No", "ON", "off", "true", "False", "Null", "~", "=", "<<", ".inf", "-.INF", ".nan", "y"]),
    st.text("abc019.-_ ~=<>/", min_size=1, max_size=8),
)


@laws
@given(WORDS)
def test_a_word_taken_is_what_other_readers_take(word: str) -> None:
    """Whatever bare word we accept, PyYAML (YAML 1.1) reads as the same value of the same type."""
    ours = resolve(word)
    if isinstance(ours, Doubtful):
        return
    loader: Any = yaml.SafeLoader("")
    tag = loader.resolve(yaml.ScalarNode, word, (True, False))
    theirs = loader.construct_object(yaml.ScalarNode(tag, word))
    assert ours == theirs
    assert type(ours) is type(theirs)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a: 1\nb: 2\na: 3", "3: a: is given twice, first on line 1: allowed is once"),
        ('a: 1\n"a": 3', "2: a: is given twice, first on line 1: allowed is once"),
        ("a:\n  - {k: 1, k: 2}", "2: a[0].k: is given twice, first on line 2: allowed is once"),
        ("a:\nb: 1", "1: a: no value: give one, or remove the line"),
        ("a: [1, , 2]", "1: not valid YAML: while parsing a flow node, did not find expected node content"),
        ("a: [~]", "1: a[0]: no value: give one, or remove the line"),
        ("1: a", "1: key 1: allowed is text; put it in quotes if text is meant"),
        ("on: a", "1: key on: allowed is text; put it in quotes if text is meant"),
        ("? [a]\n: b", "1: key a list or mapping: allowed is text; put it in quotes if text is meant"),
        ("a: 1\n\tb: 2", "2: a tab in the indentation: allowed are blanks"),
        ("a:\n\t- b", "2: a tab in the indentation: allowed are blanks"),
        ("a: b: c", "1: not valid YAML: mapping values are not allowed in this context"),
        ("a: 1\nb: 'x", "2: not valid YAML: while scanning a quoted scalar, found unexpected end of stream"),
        ("a: 1\nb: x\x07y", "2: character U+0007 is not allowed in YAML"),
        ("a: \ud800", "1: character U+D800 is not allowed in YAML"),
        ("", "1: the file is empty: clusters is missing"),
        ("# nothing\n~\n", "1: the file is empty: clusters is missing"),
        ("a: 1\n---\nb: 2", "2: a second document (---): allowed is one"),
        ("a: !!str 5", "1: tag tag:yaml.org,2002:str: tags are not allowed"),
        ("a: !secret x", "1: tag !secret: tags are not allowed"),
        ("a: !!set {x}", "1: tag tag:yaml.org,2002:set: tags are not allowed"),
        ("a: *b", "1: alias *b: no anchor of that name comes before it"),
        ("a: &b [*b]", "1: alias *b stands inside its own anchor: allowed is one from before"),
        ("a: &b 1\nc: &b 2", "2: anchor &b is given twice: allowed is once"),
        ("a: {<<: 5}", '1: a["<<"]: allowed is an alias of a mapping, or a list of such aliases'),
        ("a: {<<: {x: 1}, <<: {y: 1}}", "1: a: key <<: allowed is text; put it in quotes if text is meant"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(text: str, line: str) -> None:
    """Each doubt about the text is one line: where, what, what is allowed."""
    assert told(text) == [line]


def test_every_doubt_is_told() -> None:
    """One doubtful word does not hide the next."""
    lines = [line.partition(": value")[0] for line in told("a: on\nb: [1e3, 2026-01-01]\nc: {d: 22:30}\n")]
    assert lines == ["1: a", "2: b[0]", "2: b[1]", "3: c.d"]


def test_aliases_and_merges_mean_what_yaml_says() -> None:
    """An alias repeats a value; `<<` fills in what a mapping does not say itself, the first source first."""
    text = """
        one: &one {a: 1, b: 1}
        two: &two {b: 2, c: 2}
        merged: {<<: [*one, *two], a: 0}
        nested: {<<: {<<: *one, d: 4}}
        again: [*one, *one]
    """
    assert values(text) == yaml.safe_load(text)
    assert values(text)["merged"] == {"a": 0, "b": 1, "c": 2}


def test_a_line_is_that_of_the_value() -> None:
    """A value's line is where it was written, through aliases and merges too; a key's is its own."""
    document = read_yaml("x: &x\n  a: 1\ny:\n  <<: *x\n  b:\n    - 5\nz: *x\nw:\n  7\n", "f")
    assert document.line(("y", "a")) == 2
    assert document.line(("z", "a")) == 2
    assert document.line(("y", "b", 0)) == 6
    assert document.line(("y", "b"), key=True) == 5
    assert (document.line(("w",)), document.line(("w",), key=True), document.line(("w", "below"))) == (9, 8, 8)
    assert document.line(("y", "nowhere", "at", "all")) == 4
    assert (document.text(("y", "b", 0)), document.text(("y", "b")), document.text(("q",))) == ("5", None, None)


def bomb(levels: int) -> str:
    """Aliases of aliases: 9 to the power of *levels* values in as many lines."""
    lines = ["l0: &l0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, levels)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (bomb(9), "too many values: allowed are 250000, aliases expanded"),
        ("[" * 500_000, "nested too deeply: allowed are 32 levels, aliases expanded"),
        ("{a: " * 100_000, "nested too deeply: allowed are 32 levels, aliases expanded"),
        ("- " * 100_000 + "a", "nested too deeply: allowed are 32 levels, aliases expanded"),
        (
            "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 5000)),
            "nested too deeply: allowed are 32 levels, aliases expanded",
        ),
        (
            "<<: &a0 {k: x}\n" + "".join(f"a{n}: &a{n} {{<<: *a{n - 1}}}\n" for n in range(1, 5000)),
            "nested too deeply: allowed are 32 levels, aliases expanded",
        ),
        ("a: " + "x" * (1 << 20), "the file is larger than 1048576 bytes: allowed is at most 1 MiB"),
        ("a: " + "ä" * (1 << 19), "the file is larger than 1048576 bytes: allowed is at most 1 MiB"),
    ],
    ids=["bomb", "lists", "mappings", "block lists", "alias chain", "merge chain", "size", "bytes"],
)
def test_files_beyond_reason_are_refused(text: str, why: str) -> None:
    """A file made to exhaust memory or stack is one plain error."""
    (line,) = told(text)
    assert line.partition(": ")[2] == why


def test_a_syntax_error_shows_nothing_of_the_file() -> None:
    """PyYAML quotes the line it stumbles over; that line may be a token."""
    with pytest.raises(FleetError) as raised:
        read_yaml('a: 1\ntoken: "hunter2\n', "f")
    assert "hunter2" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


JSON_VALUES = st.recursive(
    st.booleans()
    | st.integers(-(10**17), 10**17)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc/.-01", max_size=6), inner, max_size=4),
    max_leaves=20,
)


@laws
@given(JSON_VALUES)
def test_json_is_yaml(value: Any) -> None:
    """What a program writes as JSON is read as exactly that."""
    assert values(json.dumps(value, ensure_ascii=False)) == value


@laws
@given(st.text(st.characters(codec="utf-8"), max_size=40) | st.text("ab:-[]{}&*<,'\"|>#!%@ \n\t1e.", max_size=40))
def test_any_text_is_an_answer(text: str) -> None:
    """Whatever the text: values that PyYAML agrees with, or problems; never another exception."""
    if told(text):
        return
    assert values(text) == yaml.load(text, Loader=yaml.CSafeLoader)
