"""Which PostgreSQL type can contain every value of a type of another database: one table for each kind of database.

`describe` writes these types into a model, and the check of a model against its source compares with them. values/
checks each value on its way into such a column. A type that is not in a table keeps the name of its own database.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sqlalchemy import types as t
from sqlalchemy.dialects import mysql as my
from sqlalchemy.dialects.mysql.base import ischema_names

from config_schema.model import SourceKind

MOST_VARCHAR = 10_485_760  # PostgreSQL's limit of character varying(n)
MOST_PRECISION = 1000  # and of numeric(n)
Rule = tuple[type[t.TypeEngine[Any]], Callable[[Any], str]]


def _numeric(of: Any) -> str:
    bounded = of.precision and of.precision <= MOST_PRECISION
    return f"numeric({of.precision},{of.scale or 0})" if bounded else "numeric"


def _varchar(of: Any) -> str:
    return f"character varying({of.length})" if of.length and of.length <= MOST_VARCHAR else "text"


def _stamp(of: Any) -> str:
    return f"timestamp {'with' if of.timezone else 'without'} time zone"


def _unsigned(signed: str, unsigned: str) -> Callable[[Any], str]:
    return lambda of: unsigned if of.unsigned else signed


def _seconds(of: Any) -> str:
    """Return the decimal places of MySQL's times: none unless the type gives them."""
    return f"({of.fsp or 0})"


class Shape(t.LargeBinary):
    """A spatial type or a vector of MySQL, as the server sends it: in a binary form of its own."""

    def __init__(self, *bounds: object, **of_a_text: object) -> None:
        super().__init__()


class Address(t.Text):
    """INET4 and INET6 of MariaDB."""

    def __init__(self, *bounds: object, **of_a_text: object) -> None:
        super().__init__()


# Types that SQLAlchemy does not know of itself, by the names that MySQL and MariaDB have for them.
SHAPES = "geometry point linestring polygon multipoint multilinestring multipolygon geometrycollection geomcollection"
for name in (*SHAPES.split(), "vector"):
    ischema_names.setdefault(name, Shape)
for name in ("inet4", "inet6"):
    ischema_names.setdefault(name, Address)

# The first that fits has it: a subclass stands before its parent.
GENERIC: tuple[Rule, ...] = (
    (t.Boolean, lambda of: "boolean"),
    (t.SmallInteger, lambda of: "smallint"),
    (t.BigInteger, lambda of: "bigint"),
    (t.Integer, lambda of: "integer"),
    (t.Double, lambda of: "double precision"),
    (t.Float, lambda of: "double precision"),
    (t.Numeric, _numeric),
    (t.Text, lambda of: "text"),
    (t.CHAR, lambda of: f"character({of.length or 1})"),
    (t.String, _varchar),
    (t.LargeBinary, lambda of: "bytea"),
    (t.BINARY, lambda of: "bytea"),
    (t.VARBINARY, lambda of: "bytea"),
    (t.DateTime, _stamp),
    (t.Date, lambda of: "date"),
    (t.Time, lambda of: f"time {'with' if of.timezone else 'without'} time zone"),
    (t.JSON, lambda of: "jsonb"),
    (t.Uuid, lambda of: "uuid"),
)
MYSQL: tuple[Rule, ...] = (
    (my.TINYINT, lambda of: "smallint"),
    (my.SMALLINT, _unsigned("smallint", "integer")),
    (my.MEDIUMINT, lambda of: "integer"),
    (my.BIGINT, _unsigned("bigint", "numeric(20,0)")),
    (my.INTEGER, _unsigned("integer", "bigint")),
    (my.FLOAT, lambda of: "real"),  # of 32 bits; FLOAT(25) and longer ones are DOUBLE in MySQL's catalogue
    (my.BIT, lambda of: f"bit({of.length or 1})"),
    (my.YEAR, lambda of: "smallint"),
    (my.TIME, lambda of: f"interval{_seconds(of)}"),  # from -838:59:59 to 838:59:59
    (my.TIMESTAMP, lambda of: f"timestamp{_seconds(of)} with time zone"),  # kept in UTC
    (my.DATETIME, lambda of: f"timestamp{_seconds(of)} without time zone"),
    (my.ENUM, lambda of: "text"),
    (my.SET, lambda of: "text"),
    (my.TINYBLOB, lambda of: "bytea"),
    (my.MEDIUMBLOB, lambda of: "bytea"),
    (my.LONGBLOB, lambda of: "bytea"),
)
# A declared type of SQLite's binds no value: its bounds are wishes, and INTEGER has up to 64 bits.
SQLITE: tuple[Rule, ...] = (
    (t.Boolean, lambda of: "boolean"),
    (t.Integer, lambda of: "bigint"),
    (t.Float, lambda of: "double precision"),
    (t.Numeric, lambda of: "numeric"),
    (t.Uuid, lambda of: "uuid"),
    (t.String, lambda of: "text"),
    (t.NullType, lambda of: "text"),
)
# What SQLite makes NUMERIC of and means a number; it does so of every name that it does not know, UUID and ANY too.
NUMBERS = re.compile(r"\s*(?:num|dec|money|currency|smallmoney)", re.IGNORECASE)
OF_KIND: dict[SourceKind, tuple[Rule, ...]] = {SourceKind.MYSQL: MYSQL, SourceKind.SQLITE: SQLITE}


def postgres_type(of: t.TypeEngine[Any], kind: SourceKind | None = None) -> str:
    """Return the type that can contain every value of the type `of`, as format_type() writes it."""
    rules = (*OF_KIND.get(kind, ()), *GENERIC) if kind else GENERIC
    return next((name(of) for generic, name in rules if isinstance(of, generic)), str(of))


def declared_type(name: str, of: t.TypeEngine[Any]) -> str:
    """Return that type for a column of SQLite that was declared with this type name and is reflected as `of`."""
    is_number = NUMBERS.match(name) or not isinstance(of, t.Numeric) or isinstance(of, t.Float)
    return postgres_type(of, SourceKind.SQLITE) if is_number else "text"
