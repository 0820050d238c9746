"""The ecosystem model: what a team writes down in git, as frozen dataclasses.

`eco.py` builds these by hand; `ecosystem.yaml` has the same keys (see ecosystem.schema.json, where each is described).
Read from the bottom up: an Ecosystem has platforms, datastores and workspaces.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from config_schema import names
from config_schema.model.overrides import DatastoreOverride, PlatformOverride
from config_schema.model.quality import QualityCheck
from config_schema.model.rest import RestAuth, RestEndpoint
from config_schema.tls import Tls

# What a version of a row has beside its columns, in forensic merge tables and in consumers' views of them.
DELETED_COLUMN = "ds_deleted_in"  # of merge tables that keep rows which the source has lost: in which batch it had
VALID_COLUMNS = ("ds_valid_from", "ds_valid_to")
VERSION_COLUMNS = ("ds_batch_in", "ds_batch_out", *VALID_COLUMNS)


class Milestoning(Enum):
    """Which versions of a row a merge table keeps."""

    LIVE = "live"  # the merge table equals the source (SCD1)
    FORENSIC = "forensic"  # every version kept, batch-milestoned (SCD2)


class Consistency(Enum):
    """Whether the datasets of a datastore are read together."""

    MULTI_DATASET = "multi_dataset"  # all datasets in one stream, from one source snapshot
    SINGLE_DATASET = "single_dataset"  # a stream for each dataset


class ProductionStatus(Enum):
    """Whether data, or its use, is in production."""

    PRODUCTION = "production"
    NOT_PRODUCTION = "not_production"


class Runner(Enum):
    """How a stream's merge job is started."""

    PROCESS = "process"
    KUBERNETES = "kubernetes"


class Classification(Enum):
    """How sensitive the values of a column are."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    PII = "pii"


class SourceKind(Enum):
    """Which database a producer has, or that it gives files, or answers requests over HTTP."""

    POSTGRESQL = "postgresql"
    MYSQL = "mysql"  # MariaDB too
    SQLITE = "sqlite"
    MSSQL = "mssql"
    ORACLE = "oracle"
    FILES = "files"
    REST = "rest"


DEFAULT_SCHEMA = "public"  # PostgreSQL's; of another kind of server it means the database's own


@dataclass(frozen=True)
class Database:
    """The address of a database; `credential` names the secret with username and password.

    A merge store is on PostgreSQL. For `sqlite`, `database` is the file's path, and for `files` that of a folder: host
    and login are then ignored. `files` in a bucket have `s3://bucket/prefix` there, and host and port of its server.
    For `rest` it is the path that all endpoints begin with.
    """

    host: str
    database: str
    credential: str
    port: int = 5432
    schema: str = DEFAULT_SCHEMA
    kind: SourceKind = SourceKind.POSTGRESQL
    tls: Tls | None = None  # none: as the driver does by itself, and no password in clear text without TLS
    tls_ca: str | None = None  # a file's path, or the Secret or ConfigMap with it; none: the system's CAs
    auth: RestAuth | None = None  # of `rest`: how requests say who asks; none: they do not

    @property
    def needs_login(self) -> bool:
        """Whether whoever reads it needs the secret."""
        return not (self.is_on_disk or (self.kind is SourceKind.REST and self.auth is None))

    @property
    def is_over_https(self) -> bool:
        """Whether it is read by https, with the certificate verified, unless `tls` says otherwise."""
        return self.kind in (SourceKind.FILES, SourceKind.REST) and not self.is_on_disk

    @property
    def is_on_disk(self) -> bool:
        """Whether it is a file or a folder of the machine that reads it: no server and no login."""
        return self.kind is SourceKind.SQLITE or (self.kind is SourceKind.FILES and self.database.startswith("/"))


DEFAULT_CATALOG = "lake"


@dataclass(frozen=True)
class Lake:
    """Where a platform's data is, if it is in Iceberg tables: the platform's database then only says what is there.

    The catalogue is in that database, as the JDBC catalogues of Spark and Trino have it.
    """

    warehouse: str  # file:///folder, the same for jobs and readers
    catalog: str = DEFAULT_CATALOG  # the catalogue's name, which is the same for all who use it


@dataclass(frozen=True)
class GitRepository:
    """The repository of the model; `credential` names the secret with the token (a local path needs none)."""

    url: str
    branch: str = "main"
    credential: str = "git"


@dataclass(frozen=True)
class Team:
    """People who own parts of the model, and the repository and branch that their changes come from."""

    name: str
    repository: str | None = None  # `owner/name`; none: a change is theirs only where that is said
    branch: str | None = None  # of that repository, `*` for any characters; none: all branches
    documentation: str = ""


@dataclass(frozen=True)
class Column:
    """A column of a dataset."""

    name: str
    type: str  # as PostgreSQL's format_type() writes it, e.g. `character varying(50)`; short forms are accepted
    nullable: bool = True
    classification: Classification = Classification.INTERNAL
    path: str | None = None  # of a source of kind rest: where a record has the value; none: under the column's name


class OnDelete(Enum):
    """What a merge table does with a row that the source has lost."""

    FOLLOW = "follow"  # live: it is deleted; forensic: its version is closed
    KEEP = "keep"  # it stays, with the batch in which the source had lost it


class FileFormat(Enum):
    """The formats of files."""

    CSV = "csv"
    JSON_LINES = "jsonl"
    PARQUET = "parquet"


class FilesTaken(Enum):
    """Which of the files that match are a dataset's rows."""

    ALL = "all"
    NEWEST = "newest"
    NEW = "new"  # each once, in the order of their changes: what it has is inserted and updated, and nothing is deleted


class ChangedFiles(Enum):
    """What is done with a file that has changed since it was read, where each is read once."""

    REFUSE = "refuse"
    READ = "read"  # again


@dataclass(frozen=True)
class FileOptions:
    """How the files of a dataset are read. What follows `changed` is of CSV."""

    format: FileFormat | None = None  # none: as each file's ending says
    take: FilesTaken = FilesTaken.ALL
    changed: ChangedFiles = ChangedFiles.REFUSE  # of `take: new`
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    null: str = ""  # the text that stands for NULL


class IndexMethod(Enum):
    """PostgreSQL's kinds of indexes that a merge table can have for its readers."""

    BTREE = "btree"
    HASH = "hash"
    GIN = "gin"
    GIST = "gist"
    BRIN = "brin"


class IndexedRows(Enum):
    """Which rows of a forensic merge table an index has; a live table has only current rows."""

    ALL = "all"
    CURRENT = "current"


@dataclass(frozen=True)
class TableIndex:
    """An index on a merge table, for those who read it."""

    columns: tuple[str, ...]
    method: IndexMethod = IndexMethod.BTREE
    rows: IndexedRows = IndexedRows.ALL


class DatasetStrategy(Enum):
    """What tells a batch which rows of a dataset have changed."""

    AUTO = "auto"  # what the source's kind allows: row versions, hashes, or a comparison of all rows
    CURSOR = "cursor"  # a column whose value grows with each change


class NullCursors(Enum):
    """What a batch does with rows that have NULL in the cursor's column."""

    REFUSE = "refuse"
    READ = "read"  # each batch reads all of them


@dataclass(frozen=True)
class Cursor:
    """The column by which a batch knows the rows that have changed since the last one."""

    column: str
    lookback: int = 0  # rows that came late by so much are read too: seconds of a time or date, else units
    # Grows among rows with the same value in the column: those up to the last one are not read again.
    tie_breaker: str | None = None
    nulls: NullCursors = NullCursors.REFUSE
    delete_sweep: int | None = None  # seconds from one look at all keys to the next; none: deletes are not noticed
    deleted_at: str | None = None  # the column in which the source marks rows as deleted; none: it does not

    @property
    def finds_deletes(self) -> bool:
        """Whether a batch may find keys that the source has lost."""
        return self.delete_sweep is not None or self.deleted_at is not None


@dataclass(frozen=True)
class Dataset:
    """A table of a datastore."""

    name: str
    columns: tuple[Column, ...]
    primary_key: tuple[str, ...]
    table: str | None = None  # the table's name in the source, where it is not the dataset's
    checks: tuple[QualityCheck, ...] = ()
    production_status: ProductionStatus | None = None  # none: the datastore's
    deprecated: str | None = None  # why, and what to use instead; none: it is not
    on_delete: OnDelete = OnDelete.FOLLOW
    keep_closed_days: int | None = None  # on forensic platforms: closed versions go after so many days; none: never
    keep_changes: int | None = None  # on live platforms: so many changed keys are kept with a batch; none: nothing is
    # On forensic platforms: the column with the time from which a version is valid; none: the time of its first batch.
    valid_from: str | None = None
    indexes: tuple[TableIndex, ...] = ()  # on the merge table, beside that on the key
    strategy: DatasetStrategy = DatasetStrategy.AUTO
    cursor: Cursor | None = None  # given with the strategy `cursor`, and only then
    files: FileOptions | None = None  # of a producer that gives files: how they are read
    endpoint: RestEndpoint | None = None  # of a producer of kind rest, and only then: where the records are

    @property
    def kept_columns(self) -> frozenset[str]:
        """The columns of which values may be kept with a batch: those that each workspace may see by default."""
        return frozenset(one.name for one in self.columns if one.classification in Workspace.may_see)

    @property
    def source_lists_all(self) -> bool:
        """Whether a read of everything has every key that the source has, so that others are gone."""
        return self.endpoint is None or self.endpoint.full_list

    @property
    def reads_files_once(self) -> bool:
        """Whether each file of the producer is read once, and no batch has all rows of the source."""
        return self.files is not None and self.files.take is FilesTaken.NEW

    @property
    def keeps_deleted(self) -> bool:
        """Whether rows that the source has lost stay in the merge table."""
        return self.on_delete is OnDelete.KEEP

    @property
    def source_table(self) -> str:
        """The table's name in the source."""
        return self.table or (self.endpoint.path if self.endpoint else self.name)


@dataclass(frozen=True)
class ChangeFeed:
    """How a datastore on PostgreSQL tells which keys have changed: by a logical replication slot for each stream."""

    publication: str
    max_wal: int = 10240  # MB of WAL that a slot may hold back at the producer; beyond that the job drops it


@dataclass(frozen=True)
class Datastore:
    """A producer's database, and how it is read."""

    name: str
    source: Database
    datasets: tuple[Dataset, ...]
    consistency: Consistency = Consistency.MULTI_DATASET
    schedule_assets: tuple[str, ...] = ()  # Airflow's: its streams run when any changed, not by the platform's schedule
    types: tuple[str, ...] = ()  # of columns, that PostgreSQL does not come with; merge stores must have them
    change_feed: ChangeFeed | None = None  # none: changes are found in the tables
    documentation: str = ""
    owner: str | None = None  # the team
    shared_with: tuple[str, ...] = ()  # teams whose parts may name its tables and its secret too
    production_status: ProductionStatus | None = None
    deprecated: str | None = None  # with all its datasets
    # What a merge job may take of the producer: connections at the same time, the part of a time slice in which it
    # reads, and how fast it does.
    max_source_connections: int | None = None
    max_source_share: float | None = None
    max_source_mb_per_second: float | None = None
    environments: tuple[DatastoreOverride, ...] = ()  # what it has instead in some of the ecosystem's environments


@dataclass(frozen=True)
class StreamDefaults:
    """Defaults of a platform for the configs of its streams; every key is optional."""

    retries: int | None = None
    execution_timeout: int | None = None  # seconds
    time_slice_seconds: int | None = None
    load_connections: int | None = None  # that load a table for the first time
    max_delete_fraction: float | None = None
    pool: str | None = None
    priority: int | None = None
    service_account: str | None = None
    image_pull_policy: str | None = None
    owner: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Platform:
    """A place where streams run and their data is merged."""

    name: str
    milestoning: Milestoning
    merge_store: Database
    model: GitRepository
    namespace: str
    image: str
    schedule: str | None = None  # cron or preset, `@continuous`; none: triggered by hand only
    timezone: str = "UTC"
    runner: Runner = Runner.KUBERNETES
    slack_credential: str = "slack"
    streams: StreamDefaults = StreamDefaults()
    consumer_db: Database | None = None  # where consumers' views are; none: in the merge store's database
    consumer_reader: str | None = None  # the secret by which a consumer_db elsewhere reads; none: the merge store's
    documentation: str = ""
    owner: str | None = None  # the team: its too is what the mapping assigns, and DAGs whose streams name nobody
    shared_with: tuple[str, ...] = ()  # teams whose parts may name its namespace, its databases and its secrets too
    environments: tuple[PlatformOverride, ...] = ()  # what it has instead in some of the ecosystem's environments
    lake: Lake | None = None  # where the merged data is; none: in merge tables of the merge store


@dataclass(frozen=True)
class DatasetSink:
    """A dataset that a dataset group contains."""

    datastore: str
    dataset: str


@dataclass(frozen=True)
class DatasetGroup:
    """Datasets that a consumer needs together, with their retention and latency."""

    name: str
    sinks: tuple[DatasetSink, ...]
    retention: Milestoning = Milestoning.LIVE
    latency_seconds: int | None = None
    production_status: ProductionStatus | None = None  # none: the workspace's
    deprecated: str | None = None  # no platform begins to serve it


class ViewNames(Enum):
    """How the views of a workspace are named."""

    LONG = "long"  # with platform, workspace, group and datastore
    SHORT = "short"  # after their dataset: the schema is the workspace's


@dataclass(frozen=True)
class Workspace:
    """A consumer in the model: its dataset groups, and which classifications it may see."""

    name: str
    dataset_groups: tuple[DatasetGroup, ...]
    may_see: tuple[Classification, ...] = (
        Classification.PUBLIC,
        Classification.INTERNAL,
        Classification.CONFIDENTIAL,
    )
    masks: bool = False  # columns that it may not see are NULL in its views; otherwise none of its groups may have any
    view_names: ViewNames = ViewNames.LONG
    documentation: str = ""
    owner: str | None = None  # the team
    production_status: ProductionStatus | None = None
    deprecated: str | None = None  # with all its dataset groups

    def view_name(self, platform: str, group: str, store: str, dataset: str, kind: str) -> str:
        """Return the name of a dataset's view (`live`, `full`) or function (`asof`); `platform` is the derived name."""
        if self.view_names is ViewNames.SHORT:
            return names.short_view(dataset, kind)
        return names.consumer_view(platform, self.name, group, store, dataset, kind)


@dataclass(frozen=True)
class Ecosystem:
    """The whole model."""

    name: str
    platforms: tuple[Platform, ...]
    datastores: tuple[Datastore, ...]
    workspaces: tuple[Workspace, ...] = ()
    teams: tuple[Team, ...] = ()
    owner: str | None = None  # the team that owns what has no other owner, and the list of teams
    environments: tuple[str, ...] = ()  # such as dev and production; each installation is one of them

    def platform(self, name: str) -> Platform:
        """Return the platform of that name, or of that derived name. Raises KeyError if there is none."""
        return _named(self.platforms, names.meant_platform(name, [one.name for one in self.platforms]))

    def datastore(self, name: str) -> Datastore:
        """Return the datastore of that name. Raises KeyError if there is none."""
        return _named(self.datastores, name)

    def workspace(self, name: str) -> Workspace:
        """Return the workspace of that name. Raises KeyError if there is none."""
        return _named(self.workspaces, name)


Named = TypeVar("Named", Platform, Datastore, Workspace)


def _named(things: Iterable[Named], name: str) -> Named:
    for thing in things:
        if thing.name == name:
            return thing
    raise KeyError(name)
