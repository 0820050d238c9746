"""A fingerprint of a DAG's config in the DAG's text, which shows whether Airflow has stored that config.

It is part of the text (`doc_md`), and so of the DAG as Airflow stores it. Two rows with the same content have the same
one: if only the JSON of a row is written differently, its DAG gets no new version.
"""

from __future__ import annotations

import hashlib
import re

from config_schema.errors import StreamFactoryError
from config_schema.stream import StreamConfig, stream_config

PAUSED = "Paused: set its row's status to active to ingest again."
_CONFIG = re.compile(r"^Config `([0-9a-f]{12})` in `", re.MULTILINE)


def config_digest(config: StreamConfig) -> str:
    """Return the digest that identifies a config in its DAG's text."""
    return hashlib.sha256(config.to_json().encode()).hexdigest()[:12]


def fingerprint_of_doc(doc: str) -> str | None:
    """Return the fingerprint in a DAG's text; None if it has none, like the DAG of a static file."""
    found = _CONFIG.search(doc)
    return None if found is None else _fingerprint(found[1], f"\n{PAUSED}\n" in doc)


def fingerprint_of_row(status: str, config_json: str) -> str | None:
    """Return the fingerprint of a row's DAG; None without a DAG: the row is retired, or cannot be read."""
    if status == "retired":
        return None
    try:
        return _fingerprint(config_digest(stream_config(config_json, "")), status == "paused")
    except StreamFactoryError:
        return None


def _fingerprint(digest: str, paused: bool) -> str:
    return f"{digest} paused" if paused else digest
