"""An HTTP server that takes OpenLineage's events, and holds each against the schema that the client's classes say.

OpenLineage's JSON Schema is not in its packages, but the client's classes are generated from it: what each has, of
which type, and what must be there. Of them a JSON Schema is made again, closed where the specification is.
"""

from __future__ import annotations

import importlib
import json
import pkgutil
import threading
import types
import typing
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs
from jsonschema import Draft202012Validator, FormatChecker

PLAIN = {str: "string", int: "integer", float: "number", bool: "boolean"}
FORMATS = {"runId": "uuid", "eventTime": "date-time", "schemaURL": "uri", "producer": "uri"}
ALWAYS = ("eventType", "producer", "schemaURL", "_producer", "_schemaURL")  # the classes fill these in
# Subclasses of these bring keys of their own, which are held against their own schema.
OPEN = ("RunFacet", "JobFacet", "DatasetFacet", "InputDatasetFacet", "OutputDatasetFacet")


class Receiver:
    """What was sent, in the order in which it came, and what is wrong with it."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.url = f"http://127.0.0.1:{server.server_port}"
        self.events: list[dict[str, Any]] = []
        self.problems: list[str] = []

    def take(self, event: dict[str, Any]) -> None:
        self.events.append(event)
        self.problems += problems(event)

    def of_task(self, task: str) -> dict[str, dict[str, Any]]:
        """The events of a task, by their type."""
        return {event["eventType"]: event for event in self.events if event["job"]["name"].endswith(f".{task}")}


@contextmanager
def receiving() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            receiver.take(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(201)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(server)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield receiver
        server.shutdown()
        thread.join()


def problems(event: dict[str, Any]) -> list[str]:
    """What is wrong with an event, and with each of its facets by that facet's own schema."""
    from openlineage.client.event_v2 import RunEvent

    found = list(_of_schema(event, RunEvent, "event"))
    for place, name, facet in _facets(event):
        known = _facet_classes().get(facet.get("_schemaURL", ""))
        if known is None:
            found.append(f"{place}.{name}: {facet.get('_schemaURL')} is the schema of no facet")
        else:
            found += _of_schema(facet, known, f"{place}.{name}")
    return found


def _of_schema(value: Any, of: type, place: str) -> Iterator[str]:
    for error in Draft202012Validator(_json_schema(of), format_checker=FormatChecker()).iter_errors(value):
        yield f"{place}: {error.json_path}: {error.message}"


def _facets(event: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    holders = [("run", event["run"], "facets"), ("job", event["job"], "facets")]
    for kind, key in (("inputs", "inputFacets"), ("outputs", "outputFacets")):
        for dataset in event.get(kind, []):
            holders += [(kind, dataset, "facets"), (kind, dataset, key)]
    for place, holder, key in holders:
        for name, facet in holder.get(key, {}).items():
            yield place, name, facet


@cache
def _facet_classes() -> dict[str, type]:
    """The classes of the client's facets, by the address of their schema; custom facets have that of their base."""
    from openlineage.client import generated

    modules = [
        importlib.import_module(f"{generated.__name__}.{one.name}") for one in pkgutil.iter_modules(generated.__path__)
    ]
    return {
        one._get_schema(): one
        for module in modules
        for one in vars(module).values()
        if isinstance(one, type) and attrs.has(one) and hasattr(one, "_get_schema")
    }


@cache
def _json_schema(of: type) -> dict[str, Any]:
    """The JSON Schema of a class: all that it has, and nothing else unless it is open, as a custom facet's base is."""
    definitions: dict[str, Any] = {}
    return {**_schema(of, definitions), "$defs": definitions}


def _schema(of: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, inner = typing.get_origin(of), typing.get_args(of)
    if origin in (typing.Union, types.UnionType):
        return {"anyOf": [_schema(one, definitions) for one in inner if one is not type(None)]}
    if origin is list:
        return {"type": "array", "items": _schema(inner[0], definitions)}
    if origin is dict:
        return {"type": "object", "additionalProperties": _schema(inner[1], definitions)}
    if isinstance(of, type) and issubclass(of, Enum):
        return {"enum": [one.value for one in of]}
    if isinstance(of, type) and attrs.has(of):
        if of.__name__ not in definitions:
            definitions[of.__name__] = {}  # classes hold each other
            definitions[of.__name__] = _schema_of_class(of, definitions)
        return {"$ref": f"#/$defs/{of.__name__}"}
    return {"type": PLAIN[of]} if of in PLAIN else {}


def _schema_of_class(of: type, definitions: dict[str, Any]) -> dict[str, Any]:
    kinds = typing.get_type_hints(of)
    properties = {one.name: _schema(kinds[one.name], definitions) for one in attrs.fields(of)}
    for name in FORMATS.keys() & properties.keys():
        properties[name] = {**properties[name], "format": FORMATS[name]}
    must = [one.name for one in attrs.fields(of) if one.default is attrs.NOTHING]
    must += [name for name in ALWAYS if name in properties]
    return {
        "type": "object",
        "properties": properties,
        "required": must,
        "additionalProperties": of.__name__ in OPEN,
    }
