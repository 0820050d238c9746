"""Whose the tables are that a statement names: a session asks before it sends one, and sends none about a stranger's.

Whoever may create in a schema can make a view or table under a name of ours before we do; its functions would run with
the rights of whoever reads or writes it. So the sessions themselves ask, whatever statement they are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from config_schema.sql.upgrade import Run, refuse_tables_of_others

QUALIFIED = re.compile(r'"((?:[^"]|"")+)"\."((?:[^"]|"")+)"')
# A table that is made by this is ours, and the statement fails where there is one already.
CREATES = re.compile(r'\s*(?:--[^\n]*\n\s*)*CREATE (?:UNLOGGED )?TABLE "(?:[^"]|"")+"\."(?:[^"]|"")+" ?\(')

Name = tuple[str, str]  # schema and table


def qualified_names(query: str) -> Iterator[Name]:
    """Yield each quoted name that has a schema before it."""
    for schema, name in QUALIFIED.findall(query):
        yield schema.replace('""', '"'), name.replace('""', '"')


class KnownTables:
    """The tables that a transaction has found to be no stranger's.

    One that is ours stays ours until we drop it: nobody else may. So it is asked for once in a transaction. One that is
    not there is asked for again.
    """

    def __init__(self, schema: str | None = None, likely: Iterable[str] = ()) -> None:
        """Take the schema whose tables are asked for; every schema for None.

        `likely` are tables in it that are asked for together with the first, as the transaction will come to them.
        """
        self._schema, self._likely = schema, frozenset(likely)
        self._known: set[Name] = set()

    def forget(self) -> None:
        """Forget them all: the transaction has ended."""
        self._known.clear()

    def check(self, query: str, run: Run, where: str, *, surely: bool = False) -> None:
        """Ask for the tables that the statement names. Raise TablesOfAnother if one is a stranger's.

        `surely` is for logins of which nobody knows whether they make tables, as refuse_tables_of_others has it.
        """
        if made := CREATES.match(query):
            self._known |= set(qualified_names(made[0]))
            return
        asked = set(qualified_names(query)) - self._known
        for schema in sorted({schema for schema, _ in asked if self._schema in (None, schema)}):
            tables = {name for of, name in asked if of == schema} | (set() if self._known else self._likely)
            there = refuse_tables_of_others(run, where, schema, sorted(tables), surely=surely)
            self._known |= {(schema, name) for name in there}
