"""YAML text into plain values, each with its line, and everything that is doubtful about the text itself.

Belongs here: what any YAML file of ours must keep to, whatever its fields mean. Does not belong here: nesting, anchors
and aliases (`nodes`), fields (`model`), how they fit together (`rules`).

The text is read event by event rather than by PyYAML's constructors: those drop the lines, keep the last of two equal
keys without a word, and turn a bare `on` into true. Here a bare word is accepted only where readers of YAML 1.1
(PyYAML, kubectl) and of YAML 1.2 (most editors) agree what it is: a file means the same to everyone who looks at it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import yaml

from chalicelib.fleet.forms import MAX_BYTES
from chalicelib.fleet.nodes import Branch, Composer, Node, Scalar
from chalicelib.fleet.problems import LONGEST_SHOWN, FleetError, Path, Problem, shown_bare

UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What YAML does not allow anywhere, half surrogate pairs included."""

NOTHING = frozenset({"", "~", "null", "Null", "NULL"})
TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
WHOLE = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
DECIMAL = re.compile(r"[-+]?[0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18}")
DOUBTFUL = re.compile(
    r"""(?P<word>yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)
    |(?P<number>[-+]?(0b[01_]+|0o[0-7_]+|0x[0-9a-fA-F_]+)              # other bases
        |[-+]?[0-9][0-9_]*(:[0-9_]+)*(\.[0-9_]*)?([eE][-+]?[0-9]+)?    # 010, 1_000, 22:30 (base 60), 1e3
        |[-+]?\.[0-9_]+([eE][-+]?[0-9]+)?
        |[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))
    |(?P<date>[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt\s].*)?)
    |(?P<sign>=|<<)""",
    re.VERBOSE,
)
ADVICE = {
    "word": "some YAML readers take it for a truth value, others for text; put text in quotes, or write true or false",
    "number": "YAML readers disagree which number this is, if any; put text in quotes, write numbers as plain decimals",
    "date": "some YAML readers take it for a date, others for text; put it in quotes",
    "sign": "it has a meaning of its own in YAML; put it in quotes",
}


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A bare word on whose meaning readers of YAML disagree."""

    advice: str


def resolve(word: str) -> str | int | float | bool | Doubtful | None:
    """What a bare word means, or that this is in doubt."""
    if word in NOTHING:
        return None
    if word in TRUTH:
        return TRUTH[word]
    if WHOLE.fullmatch(word):
        return int(word)
    if DECIMAL.fullmatch(word):
        return float(word)
    doubt = DOUBTFUL.fullmatch(word)
    return Doubtful(ADVICE[doubt.lastgroup or "number"]) if doubt else word


def _key(node: Node) -> str | None:
    """The key that a node is; None for what is no text to every reader."""
    if isinstance(node, Branch):
        return None
    key = resolve(node.text) if node.bare else node.text
    return key if isinstance(key, str) else None


class Document:
    """The values of a file, the problems of its text, and the way back from a value to its line.

    Attributes:
        values: Plain dicts, lists, texts, numbers and truth values. None stands where `problems` has an entry.
    """

    def __init__(self, root: Node) -> None:
        self.root = root
        self.problems: list[Problem] = []
        self.values: object = self._plain(root, ())

    def line(self, path: Path, *, key: bool = False) -> int:
        """The line of the value at *path*, or of its *key*; of what surrounds it where the path ends early."""
        line, node = self._find(path)
        return line if key or node is None else node.line

    def text(self, path: Path) -> str | None:
        """The bare word at *path* as it was written; None for anything else."""
        _, node = self._find(path)
        return node.text if isinstance(node, Scalar) and node.bare else None

    def _find(self, path: Path) -> tuple[int, Node | None]:
        line, node = self.root.line, self.root
        for element in path:
            if isinstance(node, Scalar):
                return line, None
            if isinstance(element, int):
                node = node.children[element]
                line = node.line
            elif node.entries is not None and element in node.entries:
                line, node = node.entries[element]
            else:
                return node.line, None
        return line, node

    def _report(self, line: int, path: Path, text: str) -> None:
        self.problems.append(Problem(line, path, text))

    def _plain(self, node: Node, path: Path) -> object:
        if isinstance(node, Branch):
            if node.is_mapping:
                return {key: self._plain(value, (*path, key)) for key, (_, value) in self._entries(node, path).items()}
            return [self._plain(item, (*path, index)) for index, item in enumerate(node.children)]
        value = resolve(node.text) if node.bare else node.text
        if value is None:
            self._report(node.line, path, "no value: give one, or remove the line")
        elif isinstance(value, Doubtful):
            self._report(node.line, path, f"{shown_bare(path, node.text)}: {value.advice}")
            return None
        return value

    def _entries(self, branch: Branch, path: Path) -> dict[str, tuple[int, Node]]:
        """Values by key. Of two equal keys the first counts, and the second is a problem."""
        if branch.entries is not None:
            return branch.entries
        entries: dict[str, tuple[int, Node]] = {}
        merge: Node | None = None
        for key, value in zip(branch.children[::2], branch.children[1::2], strict=True):
            if isinstance(key, Scalar) and key.bare and key.text == "<<" and merge is None:
                merge = value
                continue
            name = _key(key)
            if name is None:
                shown = key.text[:LONGEST_SHOWN] if isinstance(key, Scalar) else "a list or mapping"
                self._report(key.line, path, f"key {shown}: allowed is text; put it in quotes if text is meant")
            elif name in entries:
                first = entries[name][0]
                self._report(key.line, (*path, name), f"is given twice, first on line {first}: allowed is once")
            else:
                entries[name] = (key.line, value)
        branch.entries = entries
        if merge is not None:
            self._merge(entries, merge, path)
        return entries

    def _merge(self, entries: dict[str, tuple[int, Node]], merge: Node, path: Path) -> None:
        """`<<`: keys of other mappings, where the mapping itself and those named earlier do not have them."""
        sources = [merge] if isinstance(merge, Scalar) or merge.is_mapping else merge.children
        for source in sources:
            if isinstance(source, Scalar) or not source.is_mapping:
                self._report(source.line, (*path, "<<"), "allowed is an alias of a mapping, or a list of such aliases")
                continue
            for key, entry in self._entries(source, path).items():
                entries.setdefault(key, entry)


def read_yaml(text: str, origin: str) -> Document:
    """Read one YAML document.

    Raises:
        FleetError: It is too large, no YAML, empty, or nested or aliased beyond reason. Smaller doubts are in
            `Document.problems`, so that they can be told together with what is wrong with the fields.
    """
    too_large = Problem(1, (), f"the file is larger than {MAX_BYTES} bytes: allowed is at most 1 MiB")
    if len(text) > MAX_BYTES:
        raise FleetError(origin, [too_large])
    if bad := UNPRINTABLE.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise FleetError(origin, [Problem(line, (), f"character U+{ord(bad[0]):04X} is not allowed in YAML")])
    if len(text.encode()) > MAX_BYTES:
        raise FleetError(origin, [too_large])
    try:
        root = Composer(origin).compose(text)
    except yaml.MarkedYAMLError as error:
        # Without the cause: PyYAML's own message carries an excerpt of the file, which may hold a secret.
        raise FleetError(origin, [_syntax_problem(text, error)]) from None
    if isinstance(root, Scalar) and root.bare and root.text in NOTHING:
        raise FleetError(origin, [Problem(1, (), "the file is empty: clusters is missing")])
    return Document(root)


def _syntax_problem(text: str, error: yaml.MarkedYAMLError) -> Problem:
    mark = error.problem_mark or error.context_mark
    line = mark.line + 1 if mark else 1
    lines = text.splitlines()
    if line <= len(lines) and re.match(r" *\t", lines[line - 1]):
        return Problem(line, (), "a tab in the indentation: allowed are blanks")
    return Problem(line, (), f"not valid YAML: {', '.join(part for part in (error.context, error.problem) if part)}")
