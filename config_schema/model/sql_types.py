"""PostgreSQL's type names: which of them mean the same, and which changes of a type keep every value. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

TYPE = re.compile(
    r"(?P<base>[a-z ]+?)(?:\((?P<first>\d+)(?:,(?P<second>-?\d+))?\))?"
    r"(?P<zone> with(?:out)? time zone)?(?P<array>(?:\[\])*)"
)
INTEGERS = {"smallint": 5, "integer": 10, "bigint": 19}  # and the most digits that they have
TIMES = ("timestamp with time zone", "timestamp without time zone", "date")
TEXTS = ("character varying", "text")
# Types whose one modifier is the most that they hold; without it they hold everything of their kind.
BOUNDED = frozenset(["character varying", "bit varying", "timestamp", "time"])
# What PostgreSQL takes for a type, and what format_type() writes for it.
LONG_NAMES = {
    "int": "integer",
    "int2": "smallint",
    "int4": "integer",
    "int8": "bigint",
    "float4": "real",
    "float8": "double precision",
    "float": "double precision",
    "bool": "boolean",
    "decimal": "numeric",
    "dec": "numeric",
    "char": "character",
    "varchar": "character varying",
    "char varying": "character varying",
    "varbit": "bit varying",
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
    "timetz": "time with time zone",
}
# The first words of types for which SQL has a syntax of its own: these names are found in no schema.
WORDS_OF_SQL = frozenset(
    [
        *("bigint", "bit", "boolean", "char", "character", "dec", "decimal", "double", "float", "int", "integer"),
        *("interval", "numeric", "real", "smallint", "time", "timestamp", "varchar"),
    ]
)
# Types that PostgreSQL comes with, beside those above.
BUILT_IN = """
    bit bytea cidr date daterange datemultirange inet int4range int4multirange int8range int8multirange
    interval json jsonb jsonpath macaddr macaddr8 money name numeric nummultirange numrange oid pg_lsn
    text tsmultirange tsquery tsrange tstzmultirange tstzrange tsvector uuid xid xid8 xml bpchar
    box circle line lseg path point polygon pg_snapshot txid_snapshot regclass regtype
"""
# Those of extensions that are met most: in which schema they are is for each database to say.
OF_EXTENSIONS = "citext cube geography geometry halfvec hstore ltree lquery raster sparsevec vector"
BUILT_IN_TYPES = frozenset({*INTEGERS, *LONG_NAMES, *LONG_NAMES.values(), *re.findall(r"\w+", BUILT_IN)})
KNOWN_TYPES = BUILT_IN_TYPES | frozenset(OF_EXTENSIONS.split())
# What no index orders, so that no key can be made of it.
WITHOUT_ORDER = frozenset(
    re.findall(r"\w+", "json jsonpath xml box circle line lseg path point polygon txid_snapshot xid")
)
ALL_TEXTS = frozenset(["text", "character varying", "varchar", "character", "char", "bpchar", "citext", "name"])
UNBOUNDED = frozenset(["text", "character varying", "citext"])
# Their input refuses whatever is none of theirs, and each value has one meaning.
READ_STRICTLY = frozenset(["boolean", "uuid", "inet", "cidr", "macaddr", "macaddr8", "json", "jsonb", "interval"])
EXACT_AS_NUMBERS = frozenset(
    [
        ("smallint", "real"),
        ("smallint", "double precision"),
        ("integer", "double precision"),
        ("real", "double precision"),
        ("cidr", "inet"),
    ]
)
NO_ZONE = " without time zone"
# Bytes and alignment of types of a fixed length; the others take one byte at least, and none of alignment.
FIXED = {
    "boolean": (1, 1),
    "smallint": (2, 2),
    "integer": (4, 4),
    "real": (4, 4),
    "date": (4, 4),
    "oid": (4, 4),
    "bigint": (8, 8),
    "double precision": (8, 8),
    "money": (8, 8),
    "timestamp": (8, 8),
    "time": (8, 8),
    "interval": (16, 8),
    "uuid": (16, 1),
    "name": (64, 1),
}
MODIFIERS = re.compile(r" *\([^()]*\)| *\[ *\d* *\]")
INTERVAL = re.compile(r"interval (?:year|month|day|hour|minute|second)(?: to (?:month|hour|minute|second))?")
SHORT = re.compile(
    r"(?P<name>[a-z][a-z0-9 ]*?) *(?:\( *(?P<first>\d+) *(?:, *(?P<second>-?\d+) *)?\))?(?P<array>(?: *\[ *\d* *\])*)"
)


@dataclass(frozen=True)
class SqlType:
    """The parts of a type, as format_type() writes it."""

    base: str
    first: int | None
    second: int
    zone: str
    array: str


@lru_cache(maxsize=4096)
def long_name(text: str) -> str:
    """Return a type as format_type() writes it, for the short forms in a model: `varchar(20)`, `int8[]`.

    Any other text, for example a quoted name, is returned unchanged.
    """
    spoken = " ".join(text.lower().split())
    found = SHORT.fullmatch(spoken)
    if found is None or found["name"] not in LONG_NAMES:
        return spoken if TYPE.fullmatch(spoken) else text
    base, _, rest = LONG_NAMES[found["name"]].partition(" with")
    second = f",{found['second'] or 0}" if base == "numeric" else ""
    bounds = f"({found['first']}{second})" if found["first"] else ""
    if base == "character" and not bounds:
        bounds = "(1)"
    zone = f" with{rest}" if rest else ""
    return f"{base}{bounds}{zone}{'[]' * found['array'].count('[')}"


@lru_cache(maxsize=4096)
def base_type(text: str) -> str:
    """Return a type without its limits, or an array's item type: `numeric(10, 2)[]` -> `numeric`."""
    if '"' in text:
        return text
    base = " ".join(MODIFIERS.sub("", text.lower()).split())
    return "interval" if INTERVAL.fullmatch(base) else base


def with_schema(text: str) -> str:
    """Return a type, as format_type() writes it, with a schema, so that it cannot mean a type of another schema.

    Types with words of their own in SQL (`integer`, `character varying(20)`) always mean PostgreSQL's.
    """
    base = base_type(text)
    return f"pg_catalog.{text}" if base in BUILT_IN_TYPES and base.partition(" ")[0] not in WORDS_OF_SQL else text


def widens(old: str, new: str) -> bool:
    """Return whether `new` can contain every value of `old`; both as format_type() writes them."""
    a, b = parsed(old), parsed(new)
    if a is None or b is None or (a.zone, a.array) != (b.zone, b.array):
        return old == new
    if a.base in INTEGERS and b.base in INTEGERS:
        return INTEGERS[a.base] <= INTEGERS[b.base]
    if a.base in INTEGERS and b.base == "numeric":
        return b.first is None or (b.second >= 0 and b.first - b.second >= INTEGERS[a.base])
    if a.base == b.base == "numeric":
        return b.first is None or _numeric_holds(a, b)
    if (a.base in TEXTS and b.base in TEXTS) or (a.base == b.base and a.base in BOUNDED):
        return b.first is None or (a.first is not None and a.first <= b.first)
    return old == new


def is_text(of: str) -> bool:
    """Return whether a type, as format_type() writes it, is for texts."""
    return base_type(of) in ALL_TEXTS


def keeps_every_value(source: str, model: str) -> bool:
    """Return whether each value of a `source` column, sent as text, stays the same in a `model` column.

    A value that PostgreSQL refuses (it reads no 1.5 as an integer) counts as kept. Times are read in UTC. JSON is
    the same if it means the same.
    """
    a, b = parsed(source), parsed(model)
    if source == model or widens(source, model) or (b is not None and b.base in UNBOUNDED and b.first is None):
        return b is None or not b.array or source == model or (a is not None and bool(a.array))
    if b is None or b.array or a is None or a.array:
        return False
    if b.base in INTEGERS or (b.base in READ_STRICTLY and b.first is None):
        return is_text(source) or a.base not in ("bit", "bit varying")
    return _is_finer(a, b) or (a.base, b.base) in EXACT_AS_NUMBERS


def holds_every_value(source: str, model: str) -> bool:
    """Return whether a `model` column takes each value of a `source` column as it is, and refuses none."""
    a, b = parsed(source), parsed(model)
    if a is None or b is None or a.array or b.array or not (b.base in INTEGERS or b.base in READ_STRICTLY):
        return keeps_every_value(source, model)
    return widens(source, model) or _is_finer(a, b) or (a.base, b.base) in EXACT_AS_NUMBERS


def _is_finer(a: SqlType, b: SqlType) -> bool:
    """Return whether type `b` can contain every time of type `a`, in UTC."""
    if a.base == "date":
        return b.base == "timestamp"
    fine = b.first is None or (a.first is not None and a.first <= b.first)
    return fine and ((a.base == b.base == "timestamp") or (a.base, a.zone, b.base) == ("time", NO_ZONE, "interval"))


def least_row_bytes(types: Iterable[str], header: int) -> int:
    """Return the least size in bytes of a row with values of these types in a PostgreSQL table."""
    at = _aligned(header, 8)
    for text in types:
        of = parsed(long_name(text))
        size, alignment = FIXED.get(of.base, (1, 1)) if of is not None and not of.array else (1, 1)
        at = _aligned(at, alignment) + size
    return at


def _aligned(at: int, to: int) -> int:
    return -(-at // to) * to


def _numeric_holds(a: SqlType, b: SqlType) -> bool:
    if a.first is None or b.first is None:
        return False
    return a.second <= b.second and a.first - a.second <= b.first - b.second


def parsed(text: str) -> SqlType | None:
    """Return the parts of a type as format_type() writes it; None if it is written in another way."""
    found = TYPE.fullmatch(text)
    if found is None:
        return None
    first = None if found["first"] is None else int(found["first"])
    return SqlType(found["base"], first, int(found["second"] or 0), found["zone"] or "", found["array"])
