"""What this product is called as a package, and its version."""

from __future__ import annotations

from importlib import metadata

PACKAGE = "airflow-stream-factory"


def version() -> str:
    """Return the version that is installed; `unknown` where the code is run without being installed."""
    try:
        return metadata.version(PACKAGE)
    except metadata.PackageNotFoundError:
        return "unknown"
