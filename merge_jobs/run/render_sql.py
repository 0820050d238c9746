"""The SQL of a batch as text, with identifiers filled in, without a connection: what would run for a dataset."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from psycopg2 import sql

from config_schema import names
from config_schema.errors import UnknownName, ValueWrong, choose_from
from config_schema.model import Consistency, Database, Dataset, Ecosystem, Milestoning, SourceKind
from config_schema.model.mapping import DsgMapping, ingested_datasets
from config_schema.sql.statements import VALUE
from merge_jobs.database.connections import ConnectionInfo
from merge_jobs.run.begin import BEGIN_STEPS
from merge_jobs.run.feed import COMMITTED_STEPS
from merge_jobs.run.ingest import EMPTIED_TITLE, NAME_STEPS, SNAPSHOT_STEPS, STAGED_STEPS
from merge_jobs.run.merge import DROP_STEPS, JUDGE_STEPS, PREPARE_STEPS, WRITE_STEPS
from merge_jobs.sources.postgres.source import since_parts
from merge_jobs.sql import statement, statements_of
from merge_jobs.stores.postgres import cursors, erased_keys
from merge_jobs.stores.postgres.as_of import parts_of
from merge_jobs.stores.postgres.changes import LONGEST_KEPT, are_kept, value_parts
from merge_jobs.stores.postgres.merge_store import MergeStore
from merge_jobs.stores.postgres.tables import DatasetTables
from merge_jobs.stores.postgres.valid_times import are_from_column
from merge_jobs.strategies.cursor import (
    DELETED_AT_WORDS,
    DELETES_FOUND_WORDS,
    NO_DELETES_FOUND_WORDS,
    SWEEP_WORDS,
    swept_part,
)
from merge_jobs.strategies.delta_steps import KEEP_CHANGES_WORDS, KEPT_TITLE, VALID_TIMES_WORDS
from merge_jobs.strategies.full import AUDIT_WORDS
from merge_jobs.strategies.new_files import ONCE_WORDS
from merge_jobs.strategies.row_map_load import (
    CURSOR_WORDS,
    MAP_STAGED,
    MAP_WANTED,
    UNLISTED_WORDS,
    VERSIONS_WANTED,
)
from merge_jobs.strategies.selection import STRATEGIES
from merge_jobs.strategies.step import Section, Side, Step
from merge_jobs.strategies.strategy import Strategy
from merge_jobs.stream import Stream, refuse_in_lake, stream_of

AS_OF = "as-of"
# Of as_of.sql: what makes the functions, from their queries on. The rest is for tables whose columns have changed.
OF_AS_OF = ("create_past_index", "batch_at", "at_batch", "at_time", "create_functions")
OF_VALID_TIMES = ("create_past_index", "at_batch", "at_valid_time", "create_functions")  # where a column has the times
WITHOUT_MAPS = ("initial", "full")  # what there is for a producer that is not PostgreSQL
BY_HASHES = (*WITHOUT_MAPS, "key_hash_diff")  # of MySQL, whose server hashes its rows
BY_CURSOR = ("initial", "full", "cursor")  # what there is for a dataset with a cursor
MAP_CONDITIONS = (MAP_WANTED, VERSIONS_WANTED, MAP_STAGED)
FILES_ONCE = ("initial", "new_files")
SWEPT = frozenset(["postgres_source.copy_keys", "cursor.create_keys", "cursor.copy_keys"])
LEGEND = """\
-- A run fills in :names. :format is binary where every column has the same built-in type on both sides, else text.
-- Each transaction begins with the settings that merge_jobs/sql/session.sql has, and verifies them.
-- Left out are looks at the catalogue, by which a job finds that tables are its own and fit the model, and the
-- quality checks and the indexes for readers of the model."""


def datasets_to_show(
    ecosystem: Ecosystem, platform: str, store: str, dataset: str | None, mappings: Iterable[DsgMapping] = ()
) -> tuple[Stream, tuple[Dataset, ...]]:
    """Return the stream that merges a dataset, and the dataset; all of the stream if none is named.

    With `mappings` the stream has the datasets that the platform ingests, as sync makes it; without them, or if it
    ingests none, all of the datastore. Raises CommandWrong with the names to choose from.
    """
    known = any(one.name == store for one in ecosystem.datastores)
    ingested = ingested_datasets(ecosystem, mappings, platform, store) if known else ()
    return datasets_among(ecosystem, platform, store, dataset, ingested)


def datasets_among(
    ecosystem: Ecosystem, platform: str, store: str, dataset: str | None, ingested: Sequence[str]
) -> tuple[Stream, tuple[Dataset, ...]]:
    """Return the same where the names of the datasets that the platform ingests are known.

    Raises UnknownName or ValueWrong with the names to choose from.
    """
    stores = {one.name: one for one in ecosystem.datastores}
    single = store in stores and stores[store].consistency is Consistency.SINGLE_DATASET
    stream = stream_of(ecosystem, platform, store, dataset if single else None, () if single else ingested)
    found = tuple(one for one in stream.datasets if dataset in (None, one.name))
    if not found:
        known = [one.name for one in stream.datasets]
        if dataset in [one.name for one in stream.store.datasets]:
            reason = f"of {store} is not ingested on {platform}: no dataset group there uses it"
            raise ValueWrong("--dataset", dataset, reason, choose_from(dataset, known))
        raise UnknownName("--dataset", "dataset", dataset or "", known, store)
    return stream, found


def rendered_sql(what: str, stream: Stream, dataset: Dataset, store: Database) -> str:
    """Return the SQL of a strategy, of a whole milestoning, or of a forensic platform's functions.

    Raises CommandWrong for others.
    """
    refuse_in_lake(stream, "runs sql")
    milestoning = stream.platform.milestoning
    known = [*_strategies(stream, dataset), milestoning.value]
    if milestoning is Milestoning.FORENSIC:
        known.append(AS_OF)
    if what not in known:
        other = [AS_OF, *(one.value for one in Milestoning if one is not milestoning)]
        if what not in other:
            raise UnknownName("dagfactory runs sql", "strategy", what, known)
        reason = f"does not fit {stream.platform.name}, which is a {milestoning.value} platform"
        raise ValueWrong("dagfactory runs sql", what, reason, choose_from(what, known))
    shown = _Shown(stream, dataset, store)
    head = (
        f"-- {stream} {dataset.name}: {what}\n-- From {_server(stream.store.source)} to {_server(store)}.\n{LEGEND}\n"
    )
    return "\n".join([head, *_body(shown, what)])


def _strategies(stream: Stream, dataset: Dataset) -> Iterable[str]:
    """Return the strategies by which a batch may read the dataset."""
    if dataset.cursor is not None:
        return BY_CURSOR
    if dataset.reads_files_once:
        return FILES_ONCE
    others = {"cursor", "new_files"} if stream.store.change_feed else {"cursor", "new_files", "change_feed"}
    if _is_postgresql(stream):
        return [name for name in STRATEGIES if name not in others]
    return BY_HASHES if stream.store.source.kind is SourceKind.MYSQL else WITHOUT_MAPS


def _body(shown: _Shown, what: str) -> Iterator[str]:
    if what in STRATEGIES:
        return shown.batch(what)
    if what == AS_OF:
        return shown.some("as_of", OF_VALID_TIMES if shown.dataset.valid_from else OF_AS_OF)
    return shown.some(what, statements_of(what))


def steps_of(strategy: Strategy[Any]) -> Iterator[Step[Any]]:
    """Yield all steps of a batch of one dataset, in the order in which merge_jobs.run.job performs them.

    Of more datasets, the steps that stage them are taken for each in turn, and so are those that compare them, with
    what can be sent together in one message; then those that apply each.
    """
    yield from BEGIN_STEPS
    yield from NAME_STEPS
    yield from SNAPSHOT_STEPS
    yield from strategy.stage_steps
    yield from STAGED_STEPS
    yield from PREPARE_STEPS
    yield from strategy.compare_steps
    yield from strategy.apply_steps
    yield from JUDGE_STEPS
    yield from WRITE_STEPS
    yield from COMMITTED_STEPS
    yield from DROP_STEPS


def plain_text(part: sql.Composable) -> str:
    """Return the text that the driver would send, without the connection that it needs for that.

    Raises TypeError for a literal of another type.
    """
    match part:
        case sql.Composed():
            return "".join(map(plain_text, part.seq))
        case sql.Identifier():
            return ".".join('"' + name.replace('"', '""') + '"' for name in part.strings)
        case sql.SQL():
            return part.string
        case sql.Literal():
            return _literal(part.wrapped)
    raise TypeError(f"{type(part).__name__} has no plain text")


def _literal(value: object) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"  # a backslash is itself: standard_conforming_strings is on
    raise TypeError(f"{type(value).__name__} has no plain text")


def _is_postgresql(stream: Stream) -> bool:
    return stream.store.source.kind is SourceKind.POSTGRESQL


def _server(database: Database) -> str:
    return database.database if database.is_on_disk else f"{database.database} on {database.host}"


# What an API is asked for in place of a query.
RECORDS = {
    "postgres_source.copy_out": "the records of",
    "postgres_source.copy_since": "the records from the last cursor on, less the lookback, of",
    "postgres_source.copy_keys": "the keys of all records of",
}


class _NamesOnly(MergeStore):
    """A merge store without a connection: a dataset's tables need only its names."""

    def __init__(self, stream: Stream, of: Database) -> None:
        self.stream = stream
        self.place = ConnectionInfo(of.host, of.port, of.database, of.schema, "", "")

    def _of_type(self, text: str) -> tuple[str | None, str | None]:
        return None, None


class _Shown:
    def __init__(self, stream: Stream, dataset: Dataset, store: Database) -> None:
        self.stream, self.dataset = stream, dataset
        self.tables = DatasetTables(_NamesOnly(stream, store), dataset)
        self.swept = replace(self.tables, dataset=swept_part(dataset))

    def batch(self, strategy: str) -> Iterator[str]:
        for step, section in self.sections(strategy):
            words = "" if step.when is None or not step.when.words else f"{step.when.words}: "
            yield f"\n-- ===== On the {section.side.value}: {words}{section.title}\n"
            if section.side is Side.SOURCE and not _is_postgresql(self.stream):
                yield from self._by_dialect(section)
                continue
            if section.opens:
                yield f"{section.opens};\n"
            for name in section.statements:
                if name.partition(".")[0] not in self._others:
                    yield self._statement(name)
            if section.ends:
                yield f"{section.ends};\n"

    def sections(self, strategy: str) -> Iterator[tuple[Step[Any], Section]]:
        """Yield the sections to print for a batch of the strategy, on this platform, for this kind of producer."""
        for step in steps_of(STRATEGIES[strategy]):
            for section in step.sections:
                if (
                    (not section.strategies or strategy in section.strategies)
                    and (not section.postgresql or _is_postgresql(self.stream))
                    and section.milestoning in (None, self.tables.milestoning)
                    and (section.title != KEPT_TITLE or self.dataset.keeps_deleted)
                    and (section.title != EMPTIED_TITLE or strategy != "cursor" or self._finds_deletes)
                    and self._is_wanted(step)
                ):
                    yield step, section

    def _is_wanted(self, step: Step[Any]) -> bool:
        words = "" if step.when is None else step.when.words
        options = {VALID_TIMES_WORDS: are_from_column, KEEP_CHANGES_WORDS: are_kept}
        cursor = self.dataset.cursor
        if cursor is not None and step.when in MAP_CONDITIONS:
            return False
        of_cursor = {
            AUDIT_WORDS: cursor is None,
            UNLISTED_WORDS: not self.dataset.source_lists_all,
            CURSOR_WORDS: cursor is not None,
            ONCE_WORDS: self.dataset.reads_files_once,
            DELETED_AT_WORDS: cursor is not None and cursor.deleted_at is not None,
            DELETES_FOUND_WORDS: self._finds_deletes,
            NO_DELETES_FOUND_WORDS: not self._finds_deletes,
            SWEEP_WORDS: cursor is not None and cursor.delete_sweep is not None,
        }
        return of_cursor.get(words, True) and (words not in options or options[words](self.tables))

    @property
    def _finds_deletes(self) -> bool:
        return self.dataset.cursor is not None and self.dataset.cursor.finds_deletes

    @property
    def _others(self) -> set[str]:
        return {one.value for one in Milestoning} - {self.tables.milestoning.value}

    def some(self, file: str, statements: Iterable[str]) -> Iterator[str]:
        for one in statements:
            yield f"\n-- {one}"
            yield self._statement(f"{file}.{one}")

    def _statement(self, name: str) -> str:
        full = self.tables.milestoning.value + name if name.startswith(".") else name
        wanted = statement(full)
        tables = self.swept if full in SWEPT else self.tables
        parts = tables.parts_of(full, self._of_file(full.partition(".")[0]))
        unknown = {part: sql.SQL(f":{part}") for part in wanted.identifiers - parts.keys()}
        given = {part: text for part, text in {**parts, **unknown}.items() if part in wanted.identifiers}
        composed = sql.SQL(wanted.text).format(**given)
        return "".join(map(_with_values_named, composed.seq)) + ";\n"

    def _of_file(self, file: str) -> Mapping[str, sql.Composable]:
        """Return the placeholders of a file's statements beyond the dataset's own."""
        store, platform = self.tables.store, self.stream.platform_name
        if file == "as_of":
            types = {column.name: column.type for column in self.dataset.columns}
            return parts_of(self.tables, types, plain_text)
        if file == "batches":
            return {
                "counter": store.table(names.batch_counter_table(platform)),
                "metrics": store.table(names.batch_metrics_table(platform)),
                "rejected": store.table(names.rejected_keys_table(platform)),
            }
        if file == "erased_keys":
            return {**erased_keys.parts_of(self.tables), "map": store.table(self.tables.staged_map_name)}
        if file == "changes":
            columns = [column.name for column in self.dataset.columns]
            return value_parts(columns, self.dataset.primary_key, frozenset(columns), LONGEST_KEPT)
        if file == "retention":
            return {"metrics": store.table(names.batch_metrics_table(platform))}
        if file == "run_results":
            return {"run_results": store.table(names.run_results_table(platform))}
        if file == "leftovers":
            tables = (self.tables.staging_name, self.tables.staged_map_name)
            return {
                "tables": sql.SQL(", ").join(map(store.table, tables)),
                "map": store.table(self.tables.staged_map_name),
                "usual": sql.Identifier(self.tables.map_name),
            }
        if file == "load":
            return {
                "table": sql.Identifier(self.stream.store.source.schema, self.dataset.source_table),
                "merge_title": sql.Identifier(self.tables.merge_name),
            }
        if file in ("live", "forensic"):
            loaded = self.tables.store.table(self.tables.staging_name)
            kept = sql.SQL(", ").join(sql.Identifier(column.name) for column in self.dataset.columns)
            return {"loaded": loaded, "kept": kept}
        if file == "cursor":
            return {} if self.dataset.cursor is None else cursors.shown_parts(self.dataset)
        comma, schema = sql.SQL(", "), self.stream.store.source.schema
        if file in ("postgres_source", "version_diff", "key_hash_diff", "change_feed"):
            keys = [sql.Identifier(f"key_{number}") for number, _ in enumerate(self.dataset.primary_key, 1)]
            return {
                "table": sql.Identifier(schema, self.dataset.source_table),
                "tables": comma.join(sql.Identifier(schema, one.source_table) for one in self.stream.datasets),
                "selected": comma.join(sql.Identifier(column.name) for column in self.dataset.columns),
                "key_names": comma.join(keys),
                "equal": sql.SQL(" AND ").join(
                    sql.SQL("t.{} OPERATOR(pg_catalog.=) k.{}").format(sql.Identifier(name), number)
                    for name, number in zip(self.dataset.primary_key, keys, strict=True)
                ),
                "key_arrays": comma.join(sql.SQL("array_agg({})").format(key) for key in keys),
                **({} if self.dataset.cursor is None else since_parts(cursors.shown_since(self.dataset), _named)),
            }
        return {}

    def _by_dialect(self, section: Section) -> Iterator[str]:
        source = self.stream.store.source
        if source.kind is SourceKind.FILES:
            if "postgres_source.copy_out" in section.statements:
                yield f"-- the rows of {self.dataset.source_table} in {source.database}\n"
            return
        if source.kind is SourceKind.REST:
            if section.statements[0] in RECORDS:
                which = RECORDS[section.statements[0]]
                yield f"-- {which} {self.dataset.source_table} below {source.database} on {source.host}\n"
            return
        # SQLAlchemy is loaded for those who need it.
        from merge_jobs.sources.sql.dialects import DIALECTS
        from merge_jobs.sources.sql.source import hashes_text, rows_of_hashes_text, select_text

        match section.statements:
            case ("postgres_source.copy_out",):
                yield f"{select_text(source, self.dataset)};\n"
            case ("postgres_source.copy_since",):
                yield f"{select_text(source, self.dataset, cursors.shown_since(self.dataset))};\n"
            case ("postgres_source.copy_keys",):
                yield f"{select_text(source, self.swept.dataset)};\n"
            case ("key_hash_diff.hashes",):
                yield "-- :line and :key_line are lines of COPY that the server writes\n"
                yield f"{hashes_text(source, self.dataset)};\n"
            case ("key_hash_diff.rows",):
                yield f"{rows_of_hashes_text(source, self.dataset)};\n"
            case _:
                yield from (f"{one};\n" for one in DIALECTS[source.kind].snapshot)


def _named(name: str, _: str | None) -> sql.Composable:
    return sql.SQL(f":{name}")


def _with_values_named(part: sql.Composable) -> str:
    # The statement's own text only: a name that is put in may hold what looks like a value.
    text = plain_text(part)
    return VALUE.sub(r":\1", text) if isinstance(part, sql.SQL) else text
