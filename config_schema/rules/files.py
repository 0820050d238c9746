"""The rules of producers that give files: where they are, which of them a dataset has, and how they are read."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from itertools import accumulate
from operator import and_
from urllib.parse import urlsplit

from config_schema.model import (
    ChangedFiles,
    Consistency,
    Dataset,
    DatasetStrategy,
    Datastore,
    Ecosystem,
    FileFormat,
    FileOptions,
    SourceKind,
)
from config_schema.model.claims import WILD
from config_schema.model.sql_types import long_name
from config_schema.problem import Finding

SIGN = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)  # of a pattern
ENDINGS = (".csv", ".csv.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz", ".parquet")
OF_THE_SYSTEM = ("/proc/", "/dev/", "/sys/")  # by its links each file has further names, which nobody's claim knows
OF_CSV = ("delimiter", "quote", "encoding", "null")


def files_can_be_read(ecosystem: Ecosystem) -> Iterator[Finding]:
    """Yield places that are no folder and no bucket, patterns that lead elsewhere, and options that do not fit."""
    for i, store in enumerate(ecosystem.datastores):
        at = f"datastores[{i}]"
        if store.source.is_on_disk and _written(store.source.database).startswith(OF_THE_SYSTEM):
            what = f"{store.source.database!r} is a name that the system gives to files which have another one"
            yield f"{at}.source.database", what, "Write the path under which they are kept"
        if store.source.kind is SourceKind.FILES:
            yield from _of_store(at, store)
        for j, dataset in enumerate(store.datasets):
            if store.source.kind is SourceKind.FILES:
                yield from _of_dataset(f"{at}.datasets[{j}]", dataset)
            elif dataset.files is not None:
                what = f"{store.name} is a {store.source.kind.value} database, which gives no files"
                yield f"{at}.datasets[{j}].files", what, "Leave it out, or write kind: files in the datastore's source"


def _written(path: str) -> str:
    """Return a path without `..` and the like; two slashes at its beginning are one."""
    return "/" + posixpath.normpath(path).lstrip("/")


def _of_store(at: str, store: Datastore) -> Iterator[Finding]:
    place = urlsplit(store.source.database)
    is_bucket = (
        store.source.database.startswith("s3://")
        and place.netloc
        and not (place.query or place.fragment or place.username)
    )
    if not store.source.database.startswith("/") and not is_bucket:
        what = f"{store.source.database!r} is neither a folder nor a bucket"
        yield f"{at}.source.database", what, "Write the folder's path from / on, or s3://bucket/prefix"
    if ".." in store.source.database.split("/"):
        yield f"{at}.source.database", "it goes up by ..", "Write the whole path"
    if store.consistency is Consistency.MULTI_DATASET:
        what = "files have no one snapshot of several datasets"
        yield f"{at}.consistency", what, "Write consistency: single_dataset"


def _of_dataset(at: str, dataset: Dataset) -> Iterator[Finding]:
    pattern, options = dataset.source_table, dataset.files or FileOptions()
    if dataset.strategy is DatasetStrategy.CURSOR:
        what = "files are read as a whole, and no cursor passes them"
        yield f"{at}.strategy", what, "Leave strategy and cursor out"
    if any(part in ("", ".", "..", "**") for part in pattern.split("/")):
        what = f"{pattern!r} is no pattern of files below the folder"
        yield f"{at}.table", what, "Write names with * for any characters, and / between folders"
    elif options.format is None and not pattern.lower().endswith(ENDINGS):
        what = f"the ending of {pattern!r} says no format"
        yield f"{at}.table", what, f"Name the files (*.csv), or give files.format; known endings: {', '.join(ENDINGS)}"
    for k, column in enumerate(dataset.columns):
        if long_name(column.type).endswith("]"):
            what = f"{column.type} is an array, which files have no one way to write"
            yield f"{at}.columns[{k}].type", what, "Write jsonb for a list in JSON, or text"
    if options.changed is not ChangedFiles.REFUSE and not dataset.reads_files_once:
        what = "only files that are read once can change afterwards"
        yield f"{at}.files.changed", what, "Leave it out, or write take: new"
    is_csv = options.format is FileFormat.CSV or (options.format is None and ".csv" in pattern.lower())
    given = [name for name in OF_CSV if getattr(options, name) != getattr(FileOptions(), name)]
    if given and not is_csv:
        yield f"{at}.files.{given[0]}", "only CSV has it", "Leave it out"
    elif options.delimiter == options.quote:
        yield f"{at}.files.quote", "it is the delimiter too", "Choose another character for one of them"


def may_match_alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Return whether a file may match both patterns, given by their parts; a `[...]` may be any character."""
    return len(one) == len(other) and all(map(_may_be_one_name, one, other))


def _may_be_one_name(one: str, other: str) -> bool:
    if not WILD & {*one, *other}:
        return one == other
    mine, theirs = SIGN.findall(one), SIGN.findall(other)
    # For each number of signs of `mine`, whether they can match what the signs of `theirs` so far match.
    ends: list[bool] = [True, *accumulate((sign == "*" for sign in mine), and_)]
    for sign in theirs:
        before, ends = ends, [ends[0] and sign == "*"]
        for k, my_sign in enumerate(mine):
            if "*" in (my_sign, sign):
                ends.append(before[k + 1] or ends[k])
            else:
                ends.append(before[k] and (my_sign == sign or my_sign[0] in "?[" or sign[0] in "?["))
    return ends[-1]
