"""Names as producers have them: quoted, long, reserved, in any script, and those that our own statements use."""

from __future__ import annotations

import pytest
from psycopg2 import sql

from merge_jobs.strategies.selection import StrategyOption

NAMES = {
    "camelCase": ("customerId", "firstName"),
    "reserved": ("select", "table"),
    "quotes": ('we"ird', "it's"),
    "what looks like a placeholder": ("%(id)s", "{merge}"),
    "per cent and spaces": ("100 %", " "),
    "63 bytes": ("k" * 63, "v" * 63),
    "63 bytes of another script": ("ключ" * 7 + "к", "日本語" * 7),
    "words of the row map": ("block", "xid"),
    "words of the delta": ("staged", "merged"),
    "aliases of our statements": ("s", "m"),
    "a line break": ("a\nb", "c\td"),
}


@pytest.mark.parametrize("strategy", [StrategyOption.AUTO, StrategyOption.KEY_HASH_DIFF, StrategyOption.FULL])
@pytest.mark.parametrize("names", NAMES.values(), ids=NAMES.keys())
def test_any_name_that_postgresql_takes_is_merged(merging, names, strategy):
    key, value = map(sql.Identifier, names)
    case = merging("SELECT")
    table = sql.Identifier(f"t {names[0]}"[:40])

    def execute(statement: str) -> None:
        case.execute(sql.SQL(statement).format(table=table, key=key, value=value))

    execute("CREATE TABLE {table} ({key} int, {value} text, part text, PRIMARY KEY (part, {key}))")
    execute("INSERT INTO {table} VALUES (1, 'a', 'x'), (1, 'b', 'y'), (2, NULL, 'x')")
    case.describe()
    case.merge_both(strategy=strategy)
    execute("UPDATE {table} SET {value} = 'c' WHERE {key} = 2; DELETE FROM {table} WHERE part = 'y'")
    execute("INSERT INTO {table} VALUES (3, '', 'z')")
    results = case.merge_both(strategy=strategy)
    wanted = StrategyOption.VERSION_DIFF if strategy is StrategyOption.AUTO else strategy
    assert {dataset.strategy for result in results.values() for dataset in result.datasets.values()} == {wanted.value}
