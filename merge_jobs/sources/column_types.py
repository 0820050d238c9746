"""How other databases' column types are told in PostgreSQL's words: one table, by SQLAlchemy's generic types.

Only for comparing with the model: values go as text, and PostgreSQL reads them as the model's type. A type that is not
in the table is shown as its own database names it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import types as t

# The first that fits has it: a subclass stands before its parent.
POSTGRES_TYPES: tuple[tuple[type[t.TypeEngine[Any]], Callable[[Any], str]], ...] = (
    (t.Boolean, lambda of: "boolean"),
    (t.SmallInteger, lambda of: "smallint"),
    (t.BigInteger, lambda of: "bigint"),
    (t.Integer, lambda of: "integer"),
    (t.Double, lambda of: "double precision"),
    (t.Float, lambda of: "double precision"),
    (t.Numeric, lambda of: f"numeric({of.precision},{of.scale or 0})" if of.precision else "numeric"),
    (t.Text, lambda of: "text"),
    (t.CHAR, lambda of: f"character({of.length or 1})"),
    (t.String, lambda of: f"character varying({of.length})" if of.length else "text"),
    (t.LargeBinary, lambda of: "bytea"),
    (t.BINARY, lambda of: "bytea"),
    (t.VARBINARY, lambda of: "bytea"),
    (t.DateTime, lambda of: f"timestamp {'with' if of.timezone else 'without'} time zone"),
    (t.Date, lambda of: "date"),
    (t.Time, lambda of: f"time {'with' if of.timezone else 'without'} time zone"),
    (t.JSON, lambda of: "jsonb"),
    (t.Uuid, lambda of: "uuid"),
)


def postgres_type(of: t.TypeEngine[Any]) -> str:
    """The type as PostgreSQL's format_type() would write it."""
    for kind, told in POSTGRES_TYPES:
        if isinstance(of, kind):
            return told(of)
    return str(of)
