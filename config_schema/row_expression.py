"""Conditions over the columns of one row, as a quality check of kind `expression` has them: PostgreSQL's own words.

They are sent to the database as they are written, so that it reads what people wrote; before, they are read here and
refused unless everything in them is on a list: the dataset's columns, constants, operators, and functions of
PostgreSQL that only calculate. So a model can neither read other tables, nor call what changes, waits, or reads files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlglot import exp
    from sqlglot.tokenizer_core import Token

LONGEST = 2000  # characters


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Functions of pg_catalog that give the same for the same values, or the time of the transaction, and cost little.
FUNCTIONS = _words(
    """
    abs array_length array_position bit_length btrim cardinality ceil ceiling char_length character_length coalesce
    concat concat_ws date_part date_trunc div extract floor greatest initcap isfinite jsonb_array_length
    jsonb_typeof least left length lower ltrim make_date md5 mod now nullif num_nonnulls num_nulls octet_length
    overlay position power regexp_like regexp_replace replace reverse right round rtrim scale sign split_part sqrt
    starts_with strpos substr substring to_char to_date to_timestamp translate trim trunc upper
    """
)
# Of the types that can be written in a cast.
TYPES = _words(
    """
    bigint boolean char character date decimal double float float4 float8 int int2 int4 int8 integer interval json
    jsonb numeric real smallint text time timestamp timestamptz uuid varchar varying
    """
)
# What stands before a parenthesis without being a function: `x IN (1, 2)`, `AND (...)`, `numeric(10, 2)`.
BEFORE_PARENTHESIS = _words(
    """
    and or not in any all some between like ilike is from case when then else escape array to distinct both leading
    trailing for similar cast
    """
)
# Words that PostgreSQL keeps for itself: without quotes they are no column, and some tell who is logged in.
RESERVED = _words(
    """
    all analyse analyze and any array as asc asymmetric authorization binary both case cast check collate collation
    column concurrently constraint create cross current_catalog current_date current_role current_schema current_time
    current_timestamp current_user default deferrable desc distinct do else end except false fetch for foreign freeze
    from full grant group having ilike in initially inner intersect into is isnull join lateral leading left like limit
    localtime localtimestamp natural not notnull null offset on only or order outer overlaps placing primary references
    returning right select session_user similar some symmetric system_user table tablesample then to trailing true union
    unique user using variadic verbose when where window with
    """
)
# The types of sqlglot's grammar that TYPES and arrays of them are.
DATA_TYPES = _words(
    """
    ARRAY BIGINT BOOLEAN CHAR DATE DECIMAL DOUBLE FLOAT INT INTERVAL JSON JSONB SMALLINT TEXT TIME TIMESTAMP TIMESTAMPTZ
    UUID VARCHAR
    """
)
# A text or a name in quotes. The job's sessions read a backslash in a text as itself.
QUOTED = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*\"""")
# By them the database could find other words in the text than we do.
REFUSED_SIGNS = {
    ";": "a semicolon",
    "$": "a dollar sign",
    "\\": "a backslash",
    "\0": "NUL",
    "--": "a comment (--)",
    "/*": "a comment (/*)",
    "{": "a brace",  # with # or %, a comment to the parser
    "}": "a brace",
}
# Calls in each other of these would make a text of gigabytes from one of a few characters.
REPLACING = frozenset(["Replace", "RegexpReplace"])
WORDS = {"Select": "a query", "Subquery": "a query", "Exists": "a query", "Window": "a window function"}
# Of sqlglot's grammar, beside functions.
NODES = _words(
    """
    Add And Any All Array ArrayContainsAll ArrayContainedBy AtTimeZone Between Boolean Bracket Case Cast Column
    CurrentDate CurrentTime CurrentTimestamp DataType DataTypeParam DPipe Distinct Div EQ Escape GT GTE Identifier
    If ILike In IntDiv Interval Is JSONPath JSONPathKey JSONPathRoot JSONPathSubscript LT LTE Like Literal Mod Mul
    NEQ Neg Not Null NullSafeEQ NullSafeNEQ Or Paren SimilarTo Sub Tuple Var Year Month Day
    """
)


class NotARowExpression(ValueError):
    """The text is no condition over the columns of one row; its own text says why."""


def columns_in(expression: str) -> tuple[str, ...]:
    """Return the columns that a condition reads, in the order in which they stand in it, each once.

    Raises NotARowExpression if it has anything else than columns, constants, operators and the allowed functions.
    """
    return _columns_in(expression.strip())


@lru_cache(maxsize=256)
def _columns_in(expression: str) -> tuple[str, ...]:
    # Only models with such a check pay for the import.
    import sqlglot
    from sqlglot import errors, exp

    if len(expression) > LONGEST:
        raise NotARowExpression(f"it has {len(expression)} characters, and {LONGEST} are allowed")
    try:
        read = list(sqlglot.tokenize(expression, read="postgres"))
        _check_words(expression, read)
        parsed = sqlglot.parse_one(expression, read="postgres")
    except (errors.SqlglotError, RecursionError) as error:
        raise NotARowExpression("PostgreSQL's grammar has no such expression") from error
    found = []
    for node in parsed.walk(bfs=False):
        _check_node(node)
        if isinstance(node, exp.Column):
            found.append(node.name if node.this.quoted else _folded(node.name))
    if not found:
        raise NotARowExpression("it reads no column")
    return tuple(dict.fromkeys(found))


def _check_words(expression: str, read: list[Token]) -> None:
    """Raise NotARowExpression for what PostgreSQL could read otherwise than we do, or what calls something."""
    outside = QUOTED.sub(lambda found: f" {found[0][0]}{found[0][0]} ", expression)
    for sign, shown in REFUSED_SIGNS.items():
        if sign in outside:
            raise NotARowExpression(f"{shown} is not allowed in it")
    quoted = [one for one in read if expression[one.start : one.start + 1] in ("'", '"')]
    if [one.text for one in quoted] != [_inside(found[0]) for found in QUOTED.finditer(expression)]:
        raise NotARowExpression("a text or a name in it is not closed, or has a prefix")
    for one, following in pairwise(read):
        is_name = one.text[:1].isalpha() or one.text[:1] == "_"
        if not is_name or following.text != "(" or one.token_type.name in ("STRING", "NUMBER"):
            continue
        # The name of a type can be two words: `character varying (3)`.
        if one in quoted or not {*one.text.lower().split()} <= FUNCTIONS | TYPES | BEFORE_PARENTHESIS:
            raise NotARowExpression(f"the function {one.text} is not allowed in it")


def _makes_longer(node: exp.Expr) -> bool:
    """Return whether a call may give a text that is many times as long as its first argument."""
    if type(node).__name__ not in REPLACING:
        return False
    said, by = node.args.get("expression"), node.args.get("replacement")
    if by is None or not by.is_string:
        return by is not None
    # A regular expression may match in many places, and nothing is not longer than a match.
    of_texts = type(node).__name__ == "Replace" and said is not None and said.is_string
    return len(by.name) > (len(said.name) if of_texts and said is not None else 0)


def _folded(name: str) -> str:
    """Return a name without quotes as PostgreSQL reads it: of letters beyond ASCII it changes none."""
    return "".join(letter.lower() if letter.isascii() else letter for letter in name)


def _inside(quoted: str) -> str:
    sign = quoted[0]
    return quoted[1:-1].replace(sign * 2, sign)


def _above(node: exp.Expr) -> Iterator[exp.Expr]:
    while (parent := node.parent) is not None:
        yield parent
        node = parent


def _check_node(node: exp.Expr) -> None:
    from sqlglot import exp
    from sqlglot.dialects import Postgres

    kind = type(node).__name__
    # The names of functions that are called with parentheses have been checked; the others tell who is logged in.
    called = isinstance(node, exp.Func) and type(node) not in Postgres.Parser.NO_PAREN_FUNCTIONS.values()
    if kind not in NODES and not called:
        raise NotARowExpression(f"{WORDS.get(kind, kind.upper())} is not allowed in it")
    if isinstance(node, exp.DataType) and getattr(node.this, "name", "") not in DATA_TYPES:
        raise NotARowExpression(f"the type {node.sql('postgres')} is not allowed in it")
    if _makes_longer(node) and any(map(_makes_longer, _above(node))):
        raise NotARowExpression("what makes a text longer is not allowed in what makes it longer again")
    if isinstance(node, exp.Column) and (len(node.parts) != 1 or not isinstance(node.this, exp.Identifier)):
        raise NotARowExpression(f"{node.sql('postgres')} is no column of the row")
    if isinstance(node, exp.Column) and not node.this.quoted and node.name.lower() in RESERVED:
        raise NotARowExpression(f"{node.name} is a word of SQL: put it in double quotes if it is a column")
