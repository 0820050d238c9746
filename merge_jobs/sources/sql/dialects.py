"""What differs between databases that are read through SQLAlchemy: driver, snapshot, settings of a session.

A producer's settings, for everybody or for one user, must not change a value, cut rows or end a batch. So a session
sets all settings that can do that, before anything is read.
"""

from __future__ import annotations

from dataclasses import dataclass

from config_schema.model import SourceKind

LOCK_SECONDS = 10
DAY_SECONDS = 86_400  # longer than a batch reads: the server must not give up on a merge store that is slow


@dataclass(frozen=True)
class Dialect:
    """A kind of database: its driver, how it takes a snapshot, and whether the snapshot covers several tables."""

    name: str
    driver: str
    snapshot: tuple[str, ...]
    of_all_tables: bool
    session: tuple[str, ...] = ()
    settings: str | None = None  # the query for settings that a function in a view can change, and must not
    tested: bool = True


# MariaDB does not read /*!5.. and /*!8.. comments from 50700 on, MySQL does not read /*M! ones: each sets its own.
MYSQL_SESSION = (
    "SET NAMES utf8mb4",
    # PAD_CHAR_TO_FULL_LENGTH adds blanks to values, NO_ZERO_DATE and strict modes are of writes.
    "SET SESSION sql_mode = ''",
    "SET SESSION time_zone = '+00:00'",
    # Rows after the limit would be merged as deleted, and what GROUP_CONCAT cuts as changed.
    "SET SESSION sql_select_limit = 18446744073709551615, SESSION sql_big_selects = 1, SESSION sql_auto_is_null = 0,"
    " SESSION group_concat_max_len = 4294967295, SESSION completion_type = 'NO_CHAIN'",
    f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}, SESSION innodb_lock_wait_timeout = {LOCK_SECONDS}",
    f"SET SESSION wait_timeout = {DAY_SECONDS}, SESSION net_write_timeout = {DAY_SECONDS}"
    " /*!80000 , SESSION max_execution_time = 0 */"
    " /*M!100101 , SESSION max_statement_time = 0 */"
    " /*M!100300 , SESSION idle_transaction_timeout = 0, SESSION idle_readonly_transaction_timeout = 0 */"
    # A long list of hashes is searched as it is; MariaDB would make a table of it.
    " /*M!100318 , SESSION in_predicate_conversion_threshold = 0 */",
)
# By these values are computed, compared and written, and rows selected.
MYSQL_SETTINGS = "SELECT " + ", ".join(
    f"@@session.{name} AS {name}"
    for name in (
        "time_zone",
        "sql_mode",  # MariaDB sets it back after a function by itself
        "character_set_client",
        "character_set_results",
        "collation_connection",
        "sql_select_limit",
        "group_concat_max_len",
        "lc_time_names",
        "div_precision_increment",
        "default_week_format",
        "max_allowed_packet",
    )
)

DIALECTS: dict[SourceKind, Dialect] = {
    # InnoDB: one snapshot for all tables. Other engines have none, and are refused.
    SourceKind.MYSQL: Dialect(
        "MySQL",
        "mysql+pymysql",
        (
            "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
            "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
        ),
        of_all_tables=True,
        session=MYSQL_SESSION,
        settings=MYSQL_SETTINGS,
    ),
    # A deferred transaction is a snapshot of the whole file from its first read on.
    SourceKind.SQLITE: Dialect(
        "SQLite",
        "sqlite",
        ("BEGIN", "SELECT count(*) FROM sqlite_master"),
        of_all_tables=True,
        session=("PRAGMA query_only = ON",),
    ),
    # SNAPSHOT isolation spans tables, where the database allows it.
    SourceKind.MSSQL: Dialect(
        "SQL Server",
        "mssql+pyodbc",
        ("SET TRANSACTION ISOLATION LEVEL SNAPSHOT",),
        of_all_tables=True,
        session=(
            f"SET LOCK_TIMEOUT {LOCK_SECONDS * 1000}",
            "SET ROWCOUNT 0",
            "SET TEXTSIZE 2147483647",
            "SET ANSI_NULLS, ANSI_PADDING, ANSI_WARNINGS, ARITHABORT, CONCAT_NULL_YIELDS_NULL, QUOTED_IDENTIFIER ON",
        ),
        tested=False,
    ),
    # A read-only transaction sees all tables as they were at its beginning.
    SourceKind.ORACLE: Dialect(
        "Oracle",
        "oracle+oracledb",
        ("SET TRANSACTION READ ONLY",),
        of_all_tables=True,
        session=("ALTER SESSION SET TIME_ZONE = '+00:00'",),
        settings="SELECT sessiontimezone AS time_zone FROM dual",
        tested=False,
    ),
}
