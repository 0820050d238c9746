"""Servers of a contract that give files: a bucket or a folder, with the pattern of the files and their format."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_plugin.formats.draft import SourceNotReadable, secret_name
from airflow_plugin.formats.parts import ANY_TEXT, TEXT, DocumentNode
from config_schema.model import SourceKind
from config_schema.schemas import json_schema

PLACES = {"s3": "location", "local": "path"}  # the key with the place of the files, by the type of the server
FORMATS = {"csv": "csv", "json": "jsonl", "jsonl": "jsonl", "ndjson": "jsonl", "parquet": "parquet"}
ENCODINGS: list[str] = json_schema("ecosystem")["$defs"]["file_options"]["properties"]["encoding"]["enum"]
WILDCARD = re.compile(r"[*?\[{]")
OF_AMAZON = "s3.amazonaws.com"
TABLE = "{model}"  # stands for the name of the table, in the contracts of the datacontract CLI
CONVERT = "Let its producer write CSV, one JSON object in a line, or Parquet"


@dataclass
class FilesOfServer:
    """Which files a server gives: their pattern below its place, None if it has none, and how they are read."""

    pattern: str | None
    options: dict[str, Any] = field(default_factory=dict)

    def table(self, name: str, physical: str | None) -> str:
        """Return the pattern of the files of a table."""
        return self.pattern.replace(TABLE, name) if self.pattern is not None else physical or name


def read_files(part: DocumentNode, credential: str | None) -> tuple[dict[str, Any], FilesOfServer]:
    """Return a server that gives files as plain data of the model's database, and which files it gives.

    Raises SourceNotReadable for a format that no batch reads.
    """
    type_, name = part.text("type") or "", part.text("server") or ""
    place = part.needed(PLACES.get(type_, "location"), TEXT, "Write where the files are") or ""
    folder, pattern = _split(place)
    files = FilesOfServer(pattern, _options(part))
    source: dict[str, Any] = {"host": "localhost", "database": folder, "credential": credential or secret_name(name)}
    if type_ == "s3":
        endpoint = part.text("endpointUrl")
        url = urlsplit(endpoint if endpoint is not None else f"https://{OF_AMAZON}")
        is_plain = url.scheme == "http"
        source |= {"host": url.hostname or OF_AMAZON, "port": _port(url.netloc) or (80 if is_plain else 443)}
        source |= {"tls": "disable"} if is_plain else {}
    part.take("description", ANY_TEXT)  # what the server is, in words
    part.text("environment")
    part.finish()
    return {**source, "kind": SourceKind.FILES.value}, files


def _split(place: str) -> tuple[str, str | None]:
    """Return the folder or bucket of a place, and the pattern of the files below it."""
    parts = place.split("/")
    first = next((number for number, one in enumerate(parts) if WILDCARD.search(one)), None)
    if first is None and "." in parts[-1] and len(parts) > 1:
        first = len(parts) - 1  # one file
    if first is None:
        return place.rstrip("/"), None
    return "/".join(parts[:first]), "/".join(parts[first:])


def _options(part: DocumentNode) -> dict[str, Any]:
    written, delimiter = (part.text("format") or "").lower(), part.text("delimiter")
    encoding = part.text("encoding")
    is_array = written == "json" and delimiter == "array"
    if is_array or (written and written not in FORMATS):
        what = "a JSON array in a file is no lines of JSON" if is_array else f"no batch reads files of format {written}"
        raise SourceNotReadable(part.report.file, part.at("delimiter" if is_array else "format"), what, CONVERT)
    found = {"format": FORMATS[written]} if written else {}
    if written == "csv":
        found |= {"delimiter": delimiter} if delimiter else {}
        found |= {"encoding": _encoding(encoding)} if encoding else {}
    elif encoding is not None and encoding.lower() not in ("utf-8", "utf8"):
        part.report.unsaid(part.at("encoding"), f"the encoding {encoding} is of CSV only", CONVERT)
    return found


def _encoding(text: str) -> str:
    """Return the model's word for an encoding; the text itself if the model has none, which the rules refuse."""
    return next((word for word in ENCODINGS if _codec(word) == _codec(text)), text)


def _codec(text: str) -> str:
    try:
        return codecs.lookup(text).name
    except (LookupError, ValueError):  # ValueError: it has a NUL
        return text


def _port(netloc: str) -> int | None:
    text = netloc.rpartition(":")[2]
    return int(text) if text.isdigit() and 0 < int(text) < 65536 else None
