"""`merge-job erase`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from config_schema.echo import echo
from config_schema.errors import CommandWrong, FileUnreadable, OptionMissing, OptionsConflict
from config_schema.model import Dataset
from merge_jobs.admin import erase as erasure
from merge_jobs.cli.options import AskedBy, LockWait, Option, Places, PlatformName, Reason, StoreName, with_places
from merge_jobs.cli.typer_command import errors_printed
from merge_jobs.run.flags import model_of, store_place
from merge_jobs.run.render_sql import datasets_to_show
from merge_jobs.stream import refuse_in_lake

STANDARD_INPUT = "-"


class KeysWrong(CommandWrong):
    """The file of --keys is not a JSON object with the columns of a key, or a list of such objects.

    Correct the entry with that number. The error shows no value, as it may be personal data.
    """

    code = "DF5305"

    def __init__(self, dataset: Dataset, number: int | None, what: str) -> None:
        self.number = number
        example = json.dumps(dict.fromkeys(dataset.primary_key, "..."), ensure_ascii=False)
        entry = "" if number is None else f"key {number}: "
        super().__init__(
            "--keys", f"{entry}{what}", f"Give the columns of the key, such as {example}, or a list of them"
        )


@with_places
def erase(
    places: Places,
    platform: PlatformName,
    store: StoreName,
    dataset: Annotated[str, Option("--dataset", "The dataset that has the keys.")],
    keys: Annotated[
        str | None, typer.Option("--keys", metavar="FILE", help="A JSON file, one key or a list; - is standard input.")
    ] = None,
    lift: Annotated[bool, typer.Option("--lift", help="Let the keys in again: the next batch has them.")] = False,
    every: Annotated[bool, typer.Option("--all", help="With --lift: all erased keys of the dataset.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be erased.")] = False,
    lock_wait: LockWait = 0,
    by: AskedBy = None,
    reason: Reason = None,
) -> None:
    """Erase keys of a dataset for good, for data protection: every version; or lift that again.

    No later batch brings them back, whatever the source has, until they are lifted. A key is written as JSON, such as
    {"id": 5}; its values are in no log and no table afterwards, only a digest is.

    Example: merge-job erase --platform YellowLive --store Store1 --dataset customers --keys key.json --model ./model

    Exit codes: 0 done, or erased already, 1 an error, which is named, 2 a wrong option.
    """
    with errors_printed():
        _check(keys, lift, every, dry_run)
        ecosystem, _ = model_of(places.of_model, places.merge_store, platform)
        stream, (of, *_) = datasets_to_show(ecosystem, platform, store, dataset)
        wanted = None if keys is None else _read(keys, of)
        refuse_in_lake(stream, "runs erase")
        place = store_place(places.merge_store, stream.platform.merge_store)
        if lift:
            lifted = erasure.lift(place, stream, of, wanted, lock_wait, by, reason)
            echo(f"{stream} {of.name}: {_keys(lifted)} lifted; the next batch has what the source has of them")
            return
        done = erasure.erase(place, stream, of, wanted or (), lock_wait, by, reason, dry_run)
        echo(f"{stream} {of.name}: {_keys(done.keys)} {'would be erased' if dry_run else 'erased'}{_rest(done)}")


def _check(keys: str | None, lift: bool, every: bool, dry_run: bool) -> None:
    """Raise CommandWrong for options that do not go together."""
    if every and not lift:
        raise OptionMissing(["--lift"], "Erase keys by --keys; --all lifts those of a dataset", "--all")
    if keys is not None and every:
        raise OptionsConflict(["--keys", "--all"])
    if lift and dry_run:
        raise OptionsConflict(["--lift", "--dry-run"])
    if keys is None and not every:
        raise OptionMissing(["--keys"], "Name a JSON file, or - for standard input", "merge-job erase")


def _read(keys: str, dataset: Dataset) -> list[list[str]]:
    """Return the keys of the file, each as texts in the order of the primary key. Raises KeysWrong."""
    try:
        text = sys.stdin.read() if keys == STANDARD_INPUT else Path(keys).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FileUnreadable(keys, error, "Name a file with JSON, or - for standard input") from None
    try:
        # Numbers as they are written: no digit of a key may be lost.
        found = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        raise KeysWrong(dataset, None, "it is not JSON") from None
    entries = found if isinstance(found, list) else [found]
    if not entries:
        raise KeysWrong(dataset, None, "it has no key")
    return [_key(entry, number, dataset) for number, entry in enumerate(entries, 1)]


def _key(entry: Any, number: int, dataset: Dataset) -> list[str]:
    columns: Sequence[str] = dataset.primary_key
    if not isinstance(entry, dict) or set(entry) != set(columns):
        raise KeysWrong(dataset, number, f"it is not an object with the columns {', '.join(columns)} and no others")
    return [_text(entry[column], column, number, dataset) for column in columns]


def _text(value: Any, column: str, number: int, dataset: Dataset) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str() if "\x00" not in value:
            return value
    raise KeysWrong(dataset, number, f"the value of {column} is neither a text nor a number nor a boolean")


def _keys(number: int) -> str:
    return f"{number} key{'' if number == 1 else 's'}"


def _rest(done: erasure.Erased) -> str:
    known = f"; {_keys(done.known)} {'was' if done.known == 1 else 'were'} erased already" if done.known else ""
    return f", with {done.rows} row{'' if done.rows == 1 else 's'} of merge tables{known}"
