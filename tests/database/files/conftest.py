"""A producer that gives files, in a folder or in a bucket of moto's server, merged by the harness of the laws."""

from __future__ import annotations

import gzip
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from airflow_plugin.demo.postgres import free_port
from config_schema.model import Column, Database, Dataset, FileOptions, SourceKind
from config_schema.tls import Tls
from tests.database.merge.producers import read_from, with_written_truth

PEOPLE = Dataset(
    "people",
    (
        Column("id", "integer", nullable=False),
        Column("fullName", "varchar(100)"),
        Column("amount", "numeric(12,2)"),
        Column("born", "date"),
        Column("seen", "timestamptz"),
        Column("active", "boolean"),
        Column("data", "jsonb"),
    ),
    ("id",),
    table="people*.csv",
)
NAMES = [column.name for column in PEOPLE.columns]
Row = tuple[Any, ...]


class Folder:
    """Files in a folder of this machine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()

    def database(self) -> Database:
        return Database("localhost", str(self.path), "none", kind=SourceKind.FILES)

    def write(self, name: str, content: bytes) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_bytes(content)

    def remove(self, name: str) -> None:
        (self.path / name).unlink()


class BucketOfMoto:
    """Objects in a bucket of a server that speaks S3's protocol."""

    def __init__(self, port: int, bucket: str) -> None:
        from pyarrow import fs

        self.port, self.bucket = port, bucket
        self.fs = fs.S3FileSystem(
            access_key="producer",
            secret_key="geheim",
            endpoint_override=f"127.0.0.1:{port}",
            scheme="http",
            region="us-east-1",
            allow_bucket_creation=True,
        )
        self.fs.create_dir(bucket)

    def database(self) -> Database:
        place = f"s3://{self.bucket}/in"
        return Database("127.0.0.1", place, "producer", self.port, kind=SourceKind.FILES, tls=Tls.DISABLE)

    def write(self, name: str, content: bytes) -> None:
        with self.fs.open_output_stream(f"{self.bucket}/in/{name}", compression=None) as stream:
            stream.write(content)

    def remove(self, name: str) -> None:
        self.fs.delete_file(f"{self.bucket}/in/{name}")


@pytest.fixture(scope="session")
def moto_port() -> Iterator[int]:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    port = free_port()
    server = make_server("127.0.0.1", port, DomainDispatcherApplication(create_backend_app), threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield port
    server.shutdown()
    thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "in")


@pytest.fixture(params=["folder", "bucket"])
def producer(request: pytest.FixtureRequest, tmp_path: Path) -> Folder | BucketOfMoto:
    if request.param == "folder":
        return Folder(tmp_path / "in")
    return BucketOfMoto(request.getfixturevalue("moto_port"), f"b{abs(hash(request.node.nodeid)) % 10**12}")


@pytest.fixture
def of_files(merging):
    """A case whose one dataset is read from files: `of_files(producer, table="x*.csv")`; its truth is `case.truth`."""

    def make(producer: Folder | BucketOfMoto, dataset: Dataset = PEOPLE, **changes: Any):
        case = merging("SELECT 1")
        case.datasets = (replace(dataset, **changes),)
        read_from(case, producer)
        with_written_truth(case, merging("SELECT 1"))
        return case

    return make


def as_csv(rows: list[Row], names: list[str] = NAMES, options: FileOptions | None = None, newline: str = "\n") -> bytes:
    """Write rows by hand, with every field in quotes that has a special character."""
    of = options or FileOptions()

    def field(value: Any) -> str:
        if value is None:
            return of.null
        text = {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
        if any(sign in text for sign in (of.delimiter, of.quote, "\n", "\r")):
            return of.quote + text.replace(of.quote, of.quote * 2) + of.quote
        return text

    lines = [names, *rows]
    return "".join(of.delimiter.join(map(field, line)) + newline for line in lines).encode(of.encoding)


def as_json_lines(rows: list[Row], names: list[str] = NAMES) -> bytes:
    def value(name: str, one: Any) -> Any:
        return one if name == "data" and one is not None else json.dumps(one)

    pairs = [(f'"{name}": {value(name, one)}' for name, one in zip(names, row, strict=True)) for row in rows]
    return "".join("{" + ", ".join(pair) + "}\n" for pair in pairs).encode()


def as_parquet(rows: list[Row], names: list[str] = NAMES) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    columns = list(zip(*rows, strict=True)) if rows else [()] * len(names)
    table = pa.table(
        {name: pa.array([None if v is None else v for v in of]) for name, of in zip(names, columns, strict=True)}
    )
    stream = io.BytesIO()
    parquet.write_table(table, stream)
    return stream.getvalue()


def zipped(content: bytes) -> bytes:
    return gzip.compress(content)
