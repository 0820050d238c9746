"""A datastore as files of other tools give it: checked by the model's rules, with what they refuse reported.

A file that does not say where its tables are takes the address from `--dsn`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from airflow_plugin.formats.parts import ImportReport
from config_schema.errors import CommandWrong, DsnMalformed, StreamFactoryError
from config_schema.load.described import DescribedDatastore, LeftOut, Sorted, checked_datastore
from config_schema.model import DEFAULT_SCHEMA, Database, Datastore, SourceKind

SCHEMES = {kind.value: kind for kind in SourceKind if kind not in (SourceKind.FILES, SourceKind.REST)} | {
    "postgres": SourceKind.POSTGRESQL,
    "mariadb": SourceKind.MYSQL,
}
# PostgreSQL's is also the model's for a file, which has none.
PORTS = {SourceKind.MYSQL: 3306, SourceKind.MSSQL: 1433, SourceKind.ORACLE: 1521}
OPTIONS = {"datastores[0].name": "--name", "datastores[0].source.credential": "--credential"}
BY_HAND = "Correct it in the file, or write it into the model by hand"


class DatastoreRefused(CommandWrong):
    """The datastore that a file of another tool gives breaks a rule of the model: by its name or its address.

    Give another --name, --credential or --dsn, as the error says.
    """

    code = "DF3711"

    def __init__(self, option: str, path: str, what: str, todo: str) -> None:
        self.option, self.path = option, path
        super().__init__(option, f"{path}: {what}", todo)


class NothingToImport(StreamFactoryError):
    """No table of a file of another tool can be a dataset of the model; the notes say why of each.

    Give missing keys by --key, correct the file as the notes say, or write the datastore by hand.
    """

    code = "DF3712"

    def __init__(self, file: Path) -> None:
        self.file = file
        super().__init__(
            str(file), "no table of it can be a dataset of the model", "See the note on each; --key gives a key"
        )


class SourceNotReadable(StreamFactoryError):
    """A file of another tool names no database that a batch can read: it has none, or another kind of source.

    Load the records into tables of a database, and name this database by --dsn.
    """

    code = "DF3713"

    def __init__(self, file: Path, path: str, what: str, todo: str) -> None:
        self.file, self.path = file, path
        super().__init__(f"{file}: {path}" if path else str(file), what, todo)


@dataclass
class Draft:
    """The datasets that a file gives, and the place of each of their parts in it."""

    found: Sorted = field(default_factory=Sorted)
    # By table, kind (`columns`, `checks`, or empty for the dataset itself) and name.
    places: dict[tuple[str, str, str], str] = field(default_factory=dict)


def described(draft: Draft, of: Datastore, report: ImportReport) -> DescribedDatastore:
    """Return the datastore `of` with the parts of the draft that the model's rules allow; the others are reported.

    Raises DatastoreRefused, or NothingToImport if no dataset is left.
    """
    before = {one.source_table: one.name for one in draft.found.datasets}
    known = {id(one) for one in draft.found.left_out}
    datastore = checked_datastore(draft.found, of, _refused)
    for dataset in datastore.datasets:
        was = before[dataset.source_table]
        if dataset.name != was:
            place = draft.places.get((dataset.source_table, "", ""), "")
            what = f"{was!r} cannot name a dataset here"
            report.unsaid(place, what, f"It is {dataset.name!r} in the model: use this name")
    for left in draft.found.left_out:
        if id(left) not in known:
            _report_left_out(left, draft.places, report)
    for part in draft.found.parts_left_out:
        place = draft.places.get((part.table, part.kind, part.name), "")
        report.unsaid(place, f"{part.kind.removesuffix('s')} {part.name!r} is left out: {part.why}", BY_HAND)
    if not datastore.datasets:
        raise NothingToImport(report.file)
    return DescribedDatastore(datastore, draft.found.notes, tuple(draft.found.left_out))


def leave_out(draft: Draft, report: ImportReport, left: LeftOut) -> None:
    """Leave a table out for a reason that the file itself gives, and report it."""
    draft.found.left_out.append(left)
    _report_left_out(left, draft.places, report)


def _report_left_out(left: LeftOut, places: Mapping[tuple[str, str, str], str], report: ImportReport) -> None:
    what = f"the table {left.table!r} is left out: {left.why}"
    report.unsaid(places.get((left.table, "", ""), ""), what, BY_HAND)


def _refused(path: str, what: str, todo: str) -> DatastoreRefused:
    return DatastoreRefused(OPTIONS.get(path, "--dsn"), path, what, todo)


def database_of_dsn(dsn: str, credential: str | None) -> Database:
    """Return the database in `kind://host:port/database?schema=name`; user and password in it are not used.

    Raises DsnMalformed, which never shows the DSN.
    """
    todo = f"Write one like postgresql://host:5432/database, which begins with one of {', '.join(SCHEMES)}"
    try:
        url = urlsplit(dsn)
        kind, port = SCHEMES[url.scheme.partition("+")[0]], url.port
    except (ValueError, KeyError):
        raise DsnMalformed("--dsn", todo) from None
    # The path of a file is absolute in sqlite:////data/shop.db.
    database = unquote(url.path.removeprefix("/"))
    if not database:
        raise DsnMalformed("--dsn", "Put /database behind the host: it names no database")
    schema = dict(one.partition("=")[::2] for one in url.query.split("&")).get("schema") or DEFAULT_SCHEMA
    secret = credential or secret_name(Path(database).stem)
    return Database(url.hostname or "localhost", database, secret, port or PORTS.get(kind, 5432), schema, kind)


def secret_name(text: str) -> str:
    """Return a name that a secret can have for a text."""
    from config_schema import names

    return names.dns_label(text) or "source"
