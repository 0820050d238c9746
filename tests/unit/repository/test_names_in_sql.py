"""No statement takes what another has made under a name of ours: it asks for the owner, or its session has asked.

What it names itself, `"schema"."table"`, the session asks for (known_tables.py); without a schema it finds nothing, as
the search_path is pinned. What it looks up in the catalogue says
whose it is in the same statement, or stands below with the reason why that does not matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from airflow_plugin.control.session import TABLES as CONTROL_TABLES
from config_schema.sql.known_tables import READS, TABLE, qualified_names
from config_schema.sql.statements import load_statements

ROOT = Path(__file__).parents[3]
PACKAGES = ("airflow_plugin", "config_schema", "merge_jobs")
LOOKS_UP = re.compile(
    r"\b(pg_(class|proc|type|namespace|trigger|operator|extension|foreign_\w+|roles)|to_reg\w+)\b|information_schema"
)
ASKS = re.compile(r"pg_has_role\((\w+\.)?(rel|pro|typ|nsp|srv)owner, 'USAGE'\)")

A_PRODUCER_S = "a producer's database: what stands there is the producer's, and read with the rights of its own login"
SAYS_THAT_IT_STANDS = "says whether something stands there; the session asks whose it is when a statement names it"
ROLES = "roles and their comments, which need CREATEROLE"
PEOPLE = "what people are shown; nothing is done with it"
ALLOWED = {
    "catalogue.sql": A_PRODUCER_S,
    "guard.sql": A_PRODUCER_S,
    "lock_room.sql": A_PRODUCER_S,
    "mysql_catalogue.sql": A_PRODUCER_S,
    "postgres_source.sql": A_PRODUCER_S,
    "producer.sql": "the simulator plays the producer, in a database of its own",
    "key_hash_diff.sql may_change_meanwhile": A_PRODUCER_S,
    "change_feed.sql server": A_PRODUCER_S,
    "change_feed.sql tables": A_PRODUCER_S,
    "batches.sql count_tables": SAYS_THAT_IT_STANDS,
    "operator_audit.sql has_reasons": SAYS_THAT_IT_STANDS,
    "stream_table.sql has_reasons": SAYS_THAT_IT_STANDS,
    "status.sql tables_there": SAYS_THAT_IT_STANDS,
    "session.sql table_exists": SAYS_THAT_IT_STANDS,
    "statements.sql tables": SAYS_THAT_IT_STANDS,
    "dataset.sql types_known": "with pg_catalog alone in sight; schemas_of_type asks for the owner of each other type",
    "dataset.sql type_in_sight": "schemas_of_type, which runs next, asks for the owner",
    "dataset.sql key_index_stands": "an index belongs to the owner of its table, for whom `describe` asks",
    "repair.sql index_of_table": "an index belongs to the owner of its table, for whom `describe` asks",
    "dataset.sql work_memory_for_staging": "a number, and the batch has made the table itself",
    "as_of.sql rights": "`comments` has asked for the owner of each function of the name",
    "as_of.sql restricted": "`comments` has asked for the owner of each function of the name",
    "leftovers.sql readers": PEOPLE,
    "views.sql on_columns": "by `pg_get_userbyid(c.relowner) = current_user`",
    "views.sql rights": "`schemas` has asked for the schema's owner, and `relations` and `functions` for those in it",
    "views.sql roles": ROLES,
    "views.sql may": ROLES,
    "foreign.sql type": "schemas_of_type, which runs next, asks for the owner",
    "foreign.sql wrapper": "only a superuser makes a foreign data wrapper",
    "roles.sql existing_roles": ROLES,
    "roles.sql may_create_roles": ROLES,
    "script.sql role": ROLES,
    "script.sql grant": "what a DBA reads and runs: it grants to components what is theirs to read",
    "stream_table.sql select_config_limit": "a number; sync has asked for the table's owner",
    "stream_changes.sql look_at_changes": "only numbers of files; the session asks for the tables that it names",
    "stream_changes.sql look_at_all": "the trigger is one of the stream table's, whose owner the session asks for",
    "batch_table.sql columns": PEOPLE,
    "batch_table.sql table_sizes": "numbers, for a login that is not the owner",
    "queries.sql views": PEOPLE,
    "queries.sql merge_columns": PEOPLE,
    "statements.sql rights_of_public": PEOPLE,
    "statements.sql has_revisions": PEOPLE,
    "0007_revisions_of_own_table.sql": "the type of the row of a table that the statement names, for its own oid",
}


def statements() -> Iterator[tuple[str, str, str]]:
    """Yield each statement of the product with its file and its name; a migration has no name."""
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.sql")):
        if path.parent.name == "migrations":
            yield path.name, "", without_comments(path.read_text("utf-8"))
        else:
            for name, statement in load_statements(path).items():
                yield path.name, name, without_comments(statement.text)


def without_comments(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def is_allowed(file: str, name: str) -> bool:
    return file in ALLOWED or f"{file} {name}" in ALLOWED


def test_what_is_looked_up_by_name_is_asked_for_its_owner():
    looking = [(file, name, text) for file, name, text in statements() if LOOKS_UP.search(text)]
    assert len(looking) > 50
    without = {f"{file} {name}".strip() for file, name, text in looking if not ASKS.search(text)}
    assert {one for one in without if not is_allowed(*one.partition(" ")[::2])} == set()
    assert {one for one in ALLOWED if not any(each == one or each.startswith(f"{one} ") for each in without)} == set()


def test_sessions_with_databases_of_ours_are_made_where_they_ask():
    makers = {
        str(path.relative_to(ROOT))
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        if "psycopg2.connect(" in path.read_text("utf-8") or "psycopg.connect(" in path.read_text("utf-8")
    }
    assert makers == {
        "airflow_plugin/control/connection.py",  # with PinnedCursor, or asking itself
        "airflow_plugin/demo/postgres.py",  # the administrator of the demo's own server
        "merge_jobs/database/connections.py",  # a Session
        "merge_jobs/simulator/connect.py",  # at the producer that the simulator plays
    }


# Placeholders that stand for a table with its schema.
TABLES = {*CONTROL_TABLES, "merge", "rejected", "job_model", "model_state", "compiled_model", "versions"}


def test_the_session_sees_each_table_that_a_statement_reads_or_writes():
    """One that is not there is named to nobody: what a stranger makes in that moment must not be read."""
    unseen, seen = {}, 0
    for file, title, text in statements():
        placeholders = set(re.findall(r"\{(\w+)\}", text))
        query = text.replace("{schema}.{", "{")
        for name in placeholders - {"schema"}:
            query = query.replace(f"{{{name}}}", f'"s"."{name}"' if name in TABLES else name)
        if READS.match(query):
            named = {name for _, name in qualified_names(query)}
            seen += len(named)
            missed = named - {name for _, name in qualified_names(query, TABLE)}
            if missed:
                unseen[file, title] = sorted(missed)
    assert unseen == {}
    assert seen > 50
