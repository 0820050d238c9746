"""Connections to databases of ours, in which a name without a schema is one of PostgreSQL's and nobody else's.

A function or operator in another schema may fit a call better than PostgreSQL's own, and would run with our rights.
The setting is sent with each transaction's first statement, in one round trip, and ends with the transaction: behind a
pooler a setting of the session would stay with a server process that goes to somebody else.

Tables that a statement names with their schema are asked for before, once in a transaction: known_tables.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

from psycopg2 import extensions, sql
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

from config_schema.sql.known_tables import KnownTables

PINNED = "SET LOCAL search_path = pg_catalog, pg_temp;\n"
PINNED_IN_SESSION = "SET search_path = pg_catalog, pg_temp"


class PinnedCursor(extensions.cursor):
    """A cursor whose every transaction has the search_path `pg_catalog, pg_temp`.

    psycopg2.connect takes it as its cursor_factory. A class of connections would do the same, but one that fails to
    connect stays open while its error is looked at. Statements name tables and types of others with their schema.
    """

    def execute(self, query: Any, vars: Any = None) -> None:
        """Execute a statement for which a name without a schema is PostgreSQL's own.

        Raises TablesOfAnother if it names a table that a stranger has made.
        """
        if not isinstance(query, bytes):  # with values in them, by execute_batch
            self.ask_for_tables(query, has_values=vars is not None)
        self._pinned(query, vars)

    def ask_for_tables(self, query: str | sql.Composable, *, has_values: bool) -> None:
        """Raise TablesOfAnother if a statement, its values not yet put in, names a table that a stranger has made."""
        known = _KNOWN.setdefault(self.connection, KnownTables())
        if self.connection.autocommit or self.connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
            known.forget()
        text = query.as_string(self) if isinstance(query, sql.Composable) else query
        text = text.replace("%%", "%") if has_values else text
        known.check([text], self._rows, "merge store", surely=True)

    def _pinned(self, query: Any, vars: Any) -> None:
        if self.connection.autocommit:
            # There is no transaction for a setting to end with; some statements take none beside them.
            super().execute(PINNED_IN_SESSION)
        elif self.connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
            query, vars = PINNED.encode() + self.mogrify(query, vars), None
        super().execute(query, vars)

    def _rows(self, query: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        self._pinned(query, values)
        return self.fetchall()


# By connection, as the driver's have no place for it.
_KNOWN: WeakKeyDictionary[extensions.connection, KnownTables] = WeakKeyDictionary()
