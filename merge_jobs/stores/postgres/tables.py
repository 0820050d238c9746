"""A dataset's tables in the merge store: their names, their owners, and whether they fit the model."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import dropwhile
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import cursor as Cursor

from config_schema import names
from config_schema.errors import CommandWrong
from config_schema.model import DELETED_COLUMN, Dataset, Milestoning
from config_schema.model.sql_types import base_type, long_name
from config_schema.sql.object_comments import parsed_comment
from config_schema.sql.versions import TablesOfAnother
from merge_jobs.database.together import Lookup, Rows, in_step
from merge_jobs.errors import NotOurs, StoreMismatch
from merge_jobs.sql import Query, composed, statement
from merge_jobs.stores.postgres import begins
from merge_jobs.stores.postgres.merge_store import MergeStore

COMPARED_AS_TEXT = frozenset(["text", "character varying"])
IN_LAKE = "lake"
COLUMNS = "columns"  # in the comment of a merge table of a lake: the columns and types of the rows
BATCH_COLUMNS = {"ds_batch_in": "integer", "ds_batch_out": "integer"}
# Of all values of a staged row, as their types write them: two rows that differ have different hashes.
ROW_HASH = "encode(substr(sha256(convert_to(ROW({})::text, 'UTF8')), 1, 16), 'hex')::uuid"
# A type goes into a statement as the model has it: what could end it or hide what follows is refused beforehand.
TYPE_TEXT = re.compile(r"""[\w ."(),\[\]]+|[\w ]+\( *\d+ *, *-\d+ *\)(\[\d*\])*""")


class OfAnother(StoreMismatch):
    """A table was made for another platform, stream, dataset or milestoning than the model says.

    Change the model back, or move the table away: a new one is then loaded.
    """

    code = "DF5203"

    def __init__(self, where: str, part: str, made_for: str | None, modelled: str) -> None:
        self.part, self.made_for, self.modelled = part, made_for, modelled
        what = f"the table was made for {part} {made_for!r}, the model says {modelled!r}"
        super().__init__(where, what, "Take the model back, or move the table away: a new one is then loaded")


@dataclass(frozen=True)
class TableNames:
    """The names of the tables that a batch creates beside the merge table; None means the usual name.

    A table under a usual name may be a leftover that another session still reads.
    """

    staging: str | None = None
    staged_map: str | None = None
    row_map: str | None = None


@dataclass(frozen=True)
class DatasetTables:
    """A dataset on a merge store. `run` fills a statement's placeholders for the dataset."""

    store: MergeStore
    dataset: Dataset
    dropped: tuple[str, ...] = ()  # columns of the merge table that have left the model
    named: TableNames = TableNames()
    batch_time: datetime | None = None  # from which the versions of the batch are valid

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.dataset.name

    @property
    def merge_name(self) -> str:
        """The name of the merge table."""
        stream = self.store.stream
        return names.merge_table(stream.platform_name, stream.store.name, self.name)

    @property
    def staging_name(self) -> str:
        """The name of the staging table that this batch uses."""
        stream = self.store.stream
        return self.named.staging or names.staging_table(stream.platform_name, stream.store.name, self.name)

    @property
    def map_name(self) -> str:
        """The name of the row map that this batch reads."""
        return self.named.row_map or self.usual_map_name

    @property
    def usual_map_name(self) -> str:
        """The name of a row map without a second one beside it."""
        stream = self.store.stream
        return names.row_map_table(stream.platform_name, stream.store.name, self.name)

    @property
    def staged_map_name(self) -> str:
        """The name of the row map that this batch builds."""
        stream = self.store.stream
        return self.named.staged_map or names.row_map_staging_table(stream.platform_name, stream.store.name, self.name)

    @property
    def milestoning(self) -> Milestoning:
        """The milestoning of the merge table: where the rows are in a lake, it has the current keys only."""
        return Milestoning.LIVE if self.in_lake else self.store.stream.platform.milestoning

    @property
    def in_lake(self) -> bool:
        """Whether the rows are in a lake; the merge table then has keys and hashes of rows."""
        return self.store.stream.in_lake

    @property
    def file(self) -> str:
        """The file with the statements that differ between kinds of merge tables."""
        return IN_LAKE if self.in_lake else self.milestoning.value

    @property
    def where(self) -> str:
        """The stream and the dataset, as error messages name them."""
        return f"{self.store.stream} {self.name}"

    def run(self, name: str, values: Mapping[str, Any] | None = None, **extra: sql.Composable) -> Cursor:
        """Run `file.name`, or `.name` for the statement of that name for this kind of merge table."""
        full = self._full(name)
        return self.store.run(full, values, **self.parts_of(full, extra))

    def query(self, name: str, values: Mapping[str, Any] | None = None, **extra: sql.Composable) -> Query:
        """Return what `run` would run, to be asked together with other queries."""
        full = self._full(name)
        return Query(full, values or {}, self.parts_of(full, extra))

    def later(self, name: str, values: Mapping[str, Any] | None = None, **extra: sql.Composable) -> None:
        """Run a statement in the message of the next one: nobody waits for what it does."""
        full = self._full(name)
        self.store.later(full, values, **self.parts_of(full, extra))

    def _full(self, name: str) -> str:
        return self.file + name if name.startswith(".") else name

    def value(self, name: str, values: Mapping[str, Any] | None = None, **extra: sql.Composable) -> Any:
        """Return the first column of the first row that a statement gives; None if there is no row."""
        row = self.run(name, values, **extra).fetchone()
        return None if row is None else row[0]

    def composed(self, name: str, **extra: sql.Composable) -> sql.Composed:
        """Return the statement `file.name` with its placeholders filled, for one that takes no values."""
        return composed(name, self.parts_of(name, extra), {})

    def text(self, name: str) -> str:
        """Return the statement as a person would type it, without its comment: an error is one line."""
        lines = self.composed(name).as_string(self.store.session).split("\n")
        return "\n".join(dropwhile(lambda line: line.startswith("--"), lines))

    def parts_of(self, name: str, extra: Mapping[str, sql.Composable]) -> dict[str, sql.Composable]:
        """Return `extra`, completed by the dataset's placeholders that the statement `file.name` needs."""
        ours = {part: self._parts[part] for part in statement(name).identifiers - extra.keys() if part in self._parts}
        return {**ours, **extra}

    @cached_property
    def _parts(self) -> dict[str, sql.Composable]:
        columns = [column.name for column in self.dataset.columns]
        key = self.dataset.primary_key
        modelled = {column.name: column.type for column in self.dataset.columns}
        types = {column.name: self.store.type_text(column.type) for column in self.dataset.columns}
        equals = {column.name: self.store.equals(column.type) for column in self.dataset.columns}
        numbers = range(1, len(key) + 1)
        comma = sql.SQL(", ")
        return {
            "merge": self.store.table(self.merge_name),
            "staging": self.store.table(self.staging_name),
            "key_index": sql.Identifier(names.merge_key_index(self.merge_name)),
            "definitions": sql.SQL(",\n    ").join(
                # The type is checked by check_types before a table is made.
                sql.SQL("{} {}").format(sql.Identifier(name), kind)
                for name, kind in types.items()
            ),
            "columns": comma.join(map(sql.Identifier, columns)),
            "staged_columns": comma.join(sql.Identifier("s", column) for column in columns),
            "merged_columns": comma.join(sql.Identifier("m", column) for column in columns),
            "dropped_to_null": sql.SQL("").join(
                sql.SQL(", {} = NULL").format(sql.Identifier(column)) for column in self.dropped
            ),
            "key": comma.join(map(sql.Identifier, key)),
            "key_equal": sql.SQL(" AND ").join(
                sql.SQL("{} {} {}").format(sql.Identifier("s", column), equals[column], sql.Identifier("m", column))
                for column in key
            ),
            "keys_not_null": comma.join(
                sql.SQL("ALTER COLUMN {} SET NOT NULL").format(sql.Identifier(column)) for column in key
            ),
            "a_key_is_null": sql.SQL(" OR ").join(
                sql.SQL("{} IS NULL").format(sql.Identifier(column)) for column in key
            ),
            "key_as_json": sql.SQL("jsonb_build_object({})").format(
                comma.join(sql.SQL("{}, {}").format(sql.Literal(column), sql.Identifier(column)) for column in key)
            ),
            # Of row maps: names that no column of the dataset has.
            "hash": sql.Identifier(names.own_column("ds_hash", columns)),
            "is_new": sql.Identifier(names.own_column("ds_is_new", columns)),
            "leaf_column": sql.Identifier(names.own_column("leaf", columns)),
            "tid_column": sql.Identifier(names.own_column("tid", columns)),
            "xid_column": sql.Identifier(names.own_column("xid", columns)),
            "row_maps": self.store.table(names.row_maps_table(self.store.stream.platform_name)),
            "files_read": self.store.table(names.files_read_table(self.store.stream.platform_name)),
            "map": self.store.table(self.map_name),
            "staged_map": self.store.table(self.staged_map_name),
            "row_hash": sql.SQL(ROW_HASH).format(comma.join(sql.Identifier("s", column) for column in columns)),
            "key_columns": comma.join(sql.SQL("{} {}").format(sql.Identifier(column), types[column]) for column in key),
            "key_definitions": comma.join(
                sql.SQL("{} {}[]").format(sql.Identifier(f"key_{number}"), types[column])
                for number, column in zip(numbers, key, strict=True)
            ),
            "mapped_keys": comma.join(sql.Identifier("m", f"key_{number}") for number in numbers),
            "staged_keys": comma.join(sql.Identifier("s", f"key_{number}") for number in numbers),
            "mapped_key": comma.join(sql.Identifier("m", column) for column in key),
            "staged_key": comma.join(sql.Identifier("s", column) for column in key),
            "closed": sql.Identifier(f"ds_closed_{self._number}"),
            "staged_or_mapped_key": comma.join(
                sql.SQL("coalesce({}, {})").format(sql.Identifier("s", column), sql.Identifier("m", column))
                for column in key
            ),
            "compared_key": comma.join(_compared(column, modelled[column]) for column in key),
            # Rows that stay though the source has lost them are none of what a batch compares.
            "deleted_definition": sql.SQL(f",\n    {DELETED_COLUMN} integer" if self.dataset.keeps_deleted else ""),
            "and_in_source": sql.SQL(f" AND {DELETED_COLUMN} IS NULL" if self.dataset.keeps_deleted else ""),
            **self._valid_parts,
            "map_keys": comma.join(sql.Identifier(f"key_{number}") for number in numbers),
            "block_keys": comma.join(sql.Identifier("b", f"key_{number}") for number in numbers),
            # Of the delta: other datasets of the batch have theirs at the same time.
            "delta": sql.Identifier(f"ds_delta_{self._number}"),
            "gone": sql.Identifier(f"ds_gone_{self._number}"),
            "number_column": sql.Identifier(names.own_column("ds_number", columns)),
            "erased": self.store.table(names.erased_keys_table(self.store.stream.platform_name)),
            "salt": self.store.table(names.erasure_salt_table(self.store.stream.platform_name)),
            "source": sql.Identifier(self.store.stream.store.source.schema, self.dataset.source_table),
        }

    @property
    def _number(self) -> int:
        """The place of the dataset in its stream."""
        return [dataset.name for dataset in self.store.stream.datasets].index(self.name) + 1

    @property
    def _valid_parts(self) -> Mapping[str, sql.Composable]:
        if self.milestoning is not Milestoning.FORENSIC or self.dataset.valid_from is None:
            return begins.no_parts()
        return begins.parts(self.dataset, self.store.table(self.staging_name), self.batch_time)


def _compared(column: str, type_name: str) -> sql.Composable:
    """Return a key column of the source in the form in which the merge store compares it."""
    name, base = sql.Identifier(column), base_type(long_name(type_name))
    if base == "citext":
        return sql.SQL("lower({}::text)").format(name)
    return sql.SQL('{}::text COLLATE "C"').format(name) if base in COMPARED_AS_TEXT else name


@dataclass(frozen=True)
class DescribedTable:
    """A table as it is: the type of each column, and the comment."""

    columns: dict[str, str]
    comment: str | None


def described(tables: DatasetTables, table: str, schema: str | None = None) -> DescribedTable | None:
    """Return the table of that name in the merge store's schema, or in another; None if there is none.

    Raises TablesOfAnother where its owner is a role that this login is no member of.
    """
    (found,) = in_step([describing(tables, table, schema)], tables.store.together)
    return found


def describing(tables: DatasetTables, table: str, schema: str | None = None) -> Lookup[DescribedTable | None]:
    """Look for the table of that name; see `described`."""
    (rows,) = yield [_description(tables, table, schema)]
    return _described(tables, table, rows)


def _description(tables: DatasetTables, table: str, schema: str | None = None) -> Query:
    return Query("dataset.describe", {"schema": schema or tables.store.place.schema, "table": table})


def _described(tables: DatasetTables, table: str, rows: Rows) -> DescribedTable | None:
    if not rows:
        return None
    *_, comment, is_owned = rows[0]
    if not is_owned:  # and its triggers are called by who writes to it
        raise TablesOfAnother(tables.where, [table])
    return DescribedTable({name: kind for name, kind, *_ in rows if name is not None}, comment)


class TypeUnknown(CommandWrong):
    """The model gives a column a type that the merge store's PostgreSQL does not know.

    Write the type as PostgreSQL does, for example varchar(50).
    """

    code = "DF5304"

    def __init__(self, where: str, type_text: str) -> None:
        self.type_text = type_text
        todo = "Write the type in the model as PostgreSQL does, for example varchar(50)"
        super().__init__(where, f"the merge store knows no type {type_text!r}", todo)


class MergeTableBroken(StoreMismatch):
    """A merge table is not as merges leave it: its index or batches are missing, or its row counts do not match.

    Do what the error says: restore what is missing, or move the table away, and the stream is loaded again.
    """

    code = "DF5215"


def check_types(tables: DatasetTables) -> None:
    """Raise TypeUnknown naming the model's column whose type PostgreSQL does not know."""
    in_step([checking_types(tables)], tables.store.together)


def checking_types(tables: DatasetTables) -> Lookup[None]:
    """Look whether PostgreSQL knows the types of the model, once for each text. Raises TypeUnknown if not."""
    columns = [column for column in tables.dataset.columns if column.type not in tables.store.known_types]
    wrong = [column for column in columns if not TYPE_TEXT.fullmatch(column.type)]
    if columns and not wrong:
        values = {"names": [c.name for c in columns], "types": [tables.store.type_text(c.type).string for c in columns]}
        (found,) = yield [Query("dataset.types_known", values)]
        known: dict[str, bool] = dict(found)
        wrong = [column for column in columns if not known[column.name]]
    if wrong:
        raise TypeUnknown(f"{tables.where}: column {wrong[0].name}", wrong[0].type)
    tables.store.known_types |= {column.type for column in columns}


def creating_staging(tables: DatasetTables) -> Lookup[DescribedTable]:
    """Create an empty staging table, under a name that names_for_batch has found to be free."""
    yield from checking_types(tables)
    tables.later("dataset.create_staging")
    tables.later("dataset.comment_staging", comment=sql.Literal(json.dumps(ownership(tables, "staging"))))
    made = yield from describing(tables, tables.staging_name)
    assert made is not None
    return made


def create_staging(tables: DatasetTables) -> DescribedTable:
    """Create an empty staging table, under a name that names_for_batch has found to be free."""
    (made,) = in_step([creating_staging(tables)], tables.store.together)
    return made


def create_merge_table(tables: DatasetTables, batch_id: int) -> DescribedTable:
    """Create an empty merge table without an index, with a comment that names its owner."""
    check_types(tables)
    match tables.milestoning:
        case Milestoning.LIVE:
            tables.run(".create_merge_table")
        case Milestoning.FORENSIC:
            tables.run(".create_merge_table", batch_id=sql.Literal(batch_id))
    tables.run("dataset.comment_merge_table", comment=sql.Literal(json.dumps(merge_comment(tables))))
    made = described(tables, tables.merge_name)
    assert made is not None
    return made


def create_merge_table_to_come(tables: DatasetTables, batch_id: int) -> DescribedTable:
    """Create an empty table that is to become the merge table, under the staging table's name and with its comment.

    Whoever commits it has a leftover of this batch until `become_merge_table`.
    """
    check_types(tables)
    batch = {"batch_id": sql.Literal(batch_id)} if tables.milestoning is Milestoning.FORENSIC else {}
    tables.run(".create_merge_table", None, merge=tables.store.table(tables.staging_name), **batch)
    tables.run("dataset.comment_staging", comment=sql.Literal(json.dumps(ownership(tables, "staging"))))
    tables.run("load.leave_alone")
    made = described(tables, tables.staging_name)
    assert made is not None
    return made


def become_merge_table(tables: DatasetTables) -> None:
    """Make the staging table the merge table. The caller commits."""
    tables.run("load.name_merge_table", merge_title=sql.Identifier(tables.merge_name))
    tables.run("load.as_other_tables")
    tables.run("dataset.comment_merge_table", comment=sql.Literal(json.dumps(merge_comment(tables))))


def merge_table(tables: DatasetTables) -> DescribedTable | None:
    """Return the merge table; None if there is none yet. Raises StoreMismatch if it is not this stream's."""
    (found,) = in_step([finding_merge_table(tables)], tables.store.together)
    return found


def finding_merge_table(tables: DatasetTables) -> Lookup[DescribedTable | None]:
    """Look for the merge table. Raises MergeTableBroken, or StoreMismatch if it is not this stream's."""
    rows, ((stands,),) = yield [_description(tables, tables.merge_name), _key_index(tables)]
    existing = _described(tables, tables.merge_name, rows)
    if existing is None:
        return None
    refuse_another_owner(tables, existing)
    if not stands:
        raise MergeTableBroken(
            f"{tables.where}: table {tables.merge_name}",
            f"its unique index {names.merge_key_index(tables.merge_name)} is missing or not valid",
            "Let merge-job tables make it again",
        )
    return existing


def refuse_another_owner(tables: DatasetTables, existing: DescribedTable) -> None:
    """Raise StoreMismatch if the merge table is not this stream's, or was made for another key."""
    check_owner(tables, tables.merge_name, existing.comment, "merge")


def key_index_stands(tables: DatasetTables) -> bool:
    """Return whether the merge table has the unique index on its key."""
    query = _key_index(tables)
    return bool(tables.store.value(query.name, query.values))


def _key_index(tables: DatasetTables) -> Query:
    index, schema = names.merge_key_index(tables.merge_name), tables.store.place.schema
    return Query("dataset.key_index_stands", {"schema": schema, "index": index, "table": tables.merge_name})


def ownership(tables: DatasetTables, kind: str) -> dict[str, Any]:
    """Return what a table's comment says about its owner."""
    stream = tables.store.stream
    return {
        "kind": kind,
        "platform": stream.platform_name,
        "stream": stream.key,
        "dataset": tables.name,
        "milestoning": stream.platform.milestoning.value,
        "primary_key": list(tables.dataset.primary_key),
        **({} if stream.platform.lake is None else {"lake": stream.platform.lake.warehouse}),
    }


def merge_comment(tables: DatasetTables) -> dict[str, Any]:
    """Return what a merge table's comment says: its owner, and by which column its versions have their times."""
    column = tables.dataset.valid_from if tables.milestoning is Milestoning.FORENSIC else None
    of_lake = {COLUMNS: [[one.name, long_name(one.type)] for one in tables.dataset.columns]} if tables.in_lake else {}
    return {**ownership(tables, "merge"), **({begins.MARK: column} if column else {}), **of_lake}


def check_owner(tables: DatasetTables, table: str, comment: str | None, kind: str) -> None:
    """Raise StoreMismatch if the table's comment does not say that it is this dataset's, of that kind."""
    owner, wanted = parsed_comment(comment), ownership(tables, kind)
    if owner.get("kind") != kind:
        todo = "Rename that table, or name platform and datastore differently"
        raise NotOurs(f"{tables.where}: table {table}", todo)
    for part, value in {"lake": None, **wanted}.items():
        if owner.get(part) != value and (kind == "merge" or part in ("platform", "stream", "dataset")):
            raise OfAnother(f"{tables.where}: table {table}", part, owner.get(part), value)
