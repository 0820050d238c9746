"""Which changes of a column's type keep every value."""

from __future__ import annotations

import pytest

from config_schema.model.sql_types import base_type, long_name, widens


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("character varying(20)", "character varying(50)"),
        ("character varying(20)", "character varying"),
        ("character varying", "text"),
        ("text", "character varying"),
        ("smallint", "bigint"),
        ("integer[]", "bigint[]"),
        ("integer", "numeric(12,2)"),
        ("bigint", "numeric"),
        ("numeric(10,2)", "numeric(12,4)"),
        ("numeric(5,-2)", "numeric(7,0)"),
        ("timestamp(3) with time zone", "timestamp with time zone"),
        ("bit varying(3)", "bit varying(4)"),
        ("uuid", "uuid"),
        ('"my""Type"', '"my""Type"'),
    ],
)
def test_a_type_that_holds_every_value_of_the_old_one_is_wider(old, new):
    assert widens(old, new)
    if old != new and not {old, new} <= {"character varying", "text"}:
        assert not widens(new, old)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("text", "character varying(9)"),
        ("integer", "bigint[]"),
        ("integer", "numeric(11,2)"),
        ("integer", "text"),
        ("numeric", "numeric(12,4)"),
        ("numeric(10,2)", "numeric(11,4)"),
        ("timestamp without time zone", "timestamp with time zone"),
        ("timestamp(3) with time zone", "timestamp(0) with time zone"),
        ("character(5)", "text"),
        ("json", "jsonb"),
        ("real", "double precision"),
        ('"myType"', "text"),
    ],
)
def test_a_type_that_may_lose_a_value_or_its_form_is_not_wider(old, new):
    assert not widens(old, new)


@pytest.mark.parametrize(
    ("short", "long"),
    [
        ("varchar(20)", "character varying(20)"),
        ("VARCHAR", "character varying"),
        ("int8[]", "bigint[]"),
        ("int", "integer"),
        ("decimal(10, 2)", "numeric(10,2)"),
        ("numeric(10)", "numeric(10)"),
        ("dec(10)", "numeric(10,0)"),
        ("timestamp", "timestamp without time zone"),
        ("timestamptz(3)", "timestamp(3) with time zone"),
        ("time(0)", "time(0) without time zone"),
        ("char", "character(1)"),
        ("Double  Precision", "double precision"),
        ("text", "text"),
        ('"My Type"', '"My Type"'),
        ("citext", "citext"),
    ],
)
def test_short_forms_are_known_by_their_long_names(short, long):
    assert long_name(short) == long
    assert long_name(long) == long


@pytest.mark.parametrize(
    ("text", "base"),
    [
        ("Numeric(10, 2)", "numeric"),
        ("varchar(20) [3]", "varchar"),
        ("timestamp(3) with time zone", "timestamp with time zone"),
        ("interval day to second(3)", "interval"),
        ("interval fortnight", "interval fortnight"),
        ("geometry(Point,4326)", "geometry"),
        ('"Kind (of)"', '"Kind (of)"'),
    ],
)
def test_a_base_type_has_no_bounds(text, base):
    assert base_type(text) == base
