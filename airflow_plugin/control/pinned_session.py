"""Connections to databases of ours, in which a name without a schema is one of PostgreSQL's and nobody else's.

A function or operator in another schema may fit a call better than PostgreSQL's own, and would run with our rights.
The setting is sent with each transaction's first statement, in one round trip, and ends with the transaction: behind a
pooler a setting of the session would stay with a server process that goes to somebody else.
"""

from __future__ import annotations

from typing import Any

from psycopg2 import extensions
from psycopg2.extensions import TRANSACTION_STATUS_IDLE

PINNED = "SET LOCAL search_path = pg_catalog, pg_temp;\n"
PINNED_IN_SESSION = "SET search_path = pg_catalog, pg_temp"


class PinnedCursor(extensions.cursor):
    """A cursor whose every transaction has the search_path `pg_catalog, pg_temp`.

    psycopg2.connect takes it as its cursor_factory. A class of connections would do the same, but one that fails to
    connect stays open while its error is looked at. Statements name tables and types of others with their schema.
    """

    def execute(self, query: Any, vars: Any = None) -> None:
        """Execute a statement for which a name without a schema is PostgreSQL's own."""
        if self.connection.autocommit:
            # There is no transaction for a setting to end with; some statements take none beside them.
            super().execute(PINNED_IN_SESSION)
        elif self.connection.info.transaction_status == TRANSACTION_STATUS_IDLE:
            query, vars = PINNED.encode() + self.mogrify(query, vars), None
        super().execute(query, vars)
