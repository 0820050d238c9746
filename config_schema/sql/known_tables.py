"""The owners of the tables that a statement names: a session checks them first, and sends none about a stranger's.

Whoever may create in a schema can make a view or table under a name of ours before we do; its functions would run with
the rights of whoever reads or writes it. So the sessions themselves ask, whatever statement they are given.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from config_schema.sql.statements import quoted
from config_schema.sql.upgrade import STATEMENTS, Run, refuse_tables_of_others
from config_schema.sql.versions import TablesOfAnother

QUALIFIED = re.compile(r'"((?:[^"]|"")+)"\."((?:[^"]|"")+)"')
# A table that is made by this is ours, and the statement fails where there is one already.
CREATES = re.compile(r'\s*(?:--[^\n]*\n\s*)*CREATE (?:UNLOGGED )?TABLE "(?:[^"]|"")+"\."(?:[^"]|"")+" ?\(')
# A statement that fails if a table is not there, and where it names tables: not aliases of tables before columns.
READS = re.compile(r"\s*(?:--[^\n]*\n\s*)*\(?(?:SELECT|WITH|INSERT|UPDATE|DELETE|COPY|LOCK|CREATE TEMPORARY)\b")
TABLE = re.compile(
    r'(?<!DISTINCT )\b(?:FROM|JOIN|INTO|UPDATE|COPY|USING|LOCK TABLE)\s+"((?:[^"]|"")+)"\."((?:[^"]|"")+)"(?!\()'
)
TIMES = 3  # that a table may come and go while it is asked for

Name = tuple[str, str]  # schema and table


def qualified_names(query: str, where: re.Pattern[str] = QUALIFIED) -> Iterator[Name]:
    """Yield each quoted name that has a schema before it."""
    for schema, name in where.findall(query):
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

    def ask_for_likely(self, run: Run, where: str) -> bool:
        """Ask for the likely tables, by one call of `run`; return whether there are any, and with that a call.

        Raise TablesOfAnother if one is a stranger's.
        """
        if self._schema is None or not self._likely:
            return False
        there = refuse_tables_of_others(run, where, self._schema, sorted(self._likely))
        self._known |= {(self._schema, name) for name in there}
        return True

    def check(self, queries: Iterable[str], run: Run, where: str, *, surely: bool = False) -> None:
        """Ask for the tables that statements name. Raise TablesOfAnother if one is a stranger's.

        Raises the driver's error, as the statement itself would, if a table that it reads or writes is not there.
        `surely` is for logins of which nobody knows whether they make tables, as refuse_tables_of_others has it.
        """
        rest = []
        for query in queries:
            if made := CREATES.match(query):
                self._known |= set(qualified_names(made[0]))
            else:
                rest.append(query)
        for _ in range(TIMES):
            self._ask({name for query in rest for name in qualified_names(query)} - self._known, run, where, surely)
            read = {name for query in rest if READS.match(query) for name in qualified_names(query, TABLE)}
            missing = sorted(self._of_schema(read) - self._known)
            if not missing:
                return
            # Who waits for us to name it could make it now. So the server says that it is not there, or it is asked
            # for again.
            run(STATEMENTS["raise_if_absent"].text, {"table": quoted(*missing[0])})
        raise TablesOfAnother(where, [name for _, name in missing])

    def _ask(self, asked: set[Name], run: Run, where: str, surely: bool) -> None:
        for schema in sorted({schema for schema, _ in self._of_schema(asked)}):
            tables = {name for of, name in asked if of == schema} | (set() if self._known else self._likely)
            there = refuse_tables_of_others(run, where, schema, sorted(tables), surely=surely)
            self._known |= {(schema, name) for name in there}

    def _of_schema(self, found: Iterable[Name]) -> set[Name]:
        return {(schema, name) for schema, name in found if self._schema in (None, schema)}
