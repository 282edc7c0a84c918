"""Refuse names that are pronouns, participles or adverbs: `python tests/lint_names.py FOLDER...`, part of `make lint`.

Variables, parameters and fields are called by nouns. A reader who meets `found`, `own` or `at` must look up what was
found, whose, and where. Compounds are free (`known_types`, `held_out`), and so are names of functions.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

PRONOUNS = """
all any both each it none one ones other others our own same some such that them these they this those we what
whatever which whichever who
"""
ADVERBS = """
again apart around at away behind beside here instead near now once outside there twice
"""
IRREGULAR_PARTICIPLES = """
asked begun broken brought built chosen come cut done drawn fed felt found given gone got held hidden kept known
laid lain left_out lent lost made met paid put read said seen sent set shown sold sought spoken spread stood
taken taught thought told torn understood undone won worn written
"""
# Nouns of the field that look like participles, and words that files and libraries have fixed
NOUNS = """
added ceiling embed embedding encoding ending expected feed heading listing mapping meaning need nested padding
pooling ranking reading replaced rounding scaling seed setting sibling sighting speed spelling string thing training
unmapped warning wording
"""
REFUSED = frozenset((PRONOUNS + ADVERBS + IRREGULAR_PARTICIPLES).split())
ACCEPTED = frozenset(NOUNS.split())
PARTICIPLE = re.compile(r"[a-z]+(?:ed|ing)$")


def is_refused(name: str) -> bool:
    """Whether a name is a pronoun, an adverb or a participle by itself.

    Example:
        >>> [name for name in ("found", "mention", "_own", "wording", "encoded", "known_types") if is_refused(name)]
        ['found', '_own', 'encoded']
    """
    if name.startswith("__"):
        return False
    word = name.strip("_")
    return word in REFUSED or (bool(PARTICIPLE.fullmatch(word)) and word not in ACCEPTED)


def names(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and name of every variable, parameter and field that a file binds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.lineno, node.name


def main(folders: list[str]) -> int:
    """Print each refused name with its place; 1 if there is any."""
    paths = sorted(path for folder in folders for path in Path(folder).rglob("*.py"))
    complaints = {
        (str(path), line, name)
        for path in paths
        for line, name in names(ast.parse(path.read_text(encoding="utf-8")))
        if is_refused(name)
    }
    for path, line, name in sorted(complaints):
        print(f"{path}:{line}: {name!r} is a pronoun, an adverb or a participle; call it by a noun")
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
