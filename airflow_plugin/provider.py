"""What the provider says of itself. Airflow reads it while it sets itself up: nothing of Airflow is imported here."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from airflow_plugin.settings import (
    CREATOR_ROLES,
    CREATOR_ROLES_VARIABLE,
    DATA_ROLES_VARIABLE,
    SECTION,
    SETTINGS_DIR_VARIABLE,
    SNAPSHOT_DIR_VARIABLE,
)

DISTRIBUTION = "airflow-stream-factory"


def get_provider_info() -> dict[str, Any]:
    """Return what Airflow's `provider_info.schema.json` demands."""
    return {
        "package-name": DISTRIBUTION,
        "name": "Stream Factory",
        "description": "Many ingestion streams from rows in a table.",
        "versions": [version(DISTRIBUTION)],
        "config": {
            SECTION: {
                "description": "Where the stream factory finds what it needs.",
                "options": {
                    "settings_dir": {
                        "description": "Folder of the platforms' settings files; the environment variable "
                        f"{SETTINGS_DIR_VARIABLE} wins. Without both: $AIRFLOW_HOME/stream_factory.",
                        "version_added": None,
                        "type": "string",
                        "example": "/etc/stream_factory",
                        "default": None,
                    },
                    "snapshot_dir": {
                        "description": "Folder of the platforms' last-good snapshots, which the dag-processor writes; "
                        f"{SNAPSHOT_DIR_VARIABLE} wins. Without both: $AIRFLOW_HOME/stream_factory/snapshots.",
                        "version_added": None,
                        "type": "string",
                        "example": "/var/lib/stream_factory",
                        "default": None,
                    },
                    "creator_roles": {
                        "description": "Roles whose users may create streams in the pages and by the REST API, with "
                        f"commas between them; {CREATOR_ROLES_VARIABLE} wins. Upper and lower case are the same.",
                        "version_added": None,
                        "type": "string",
                        "example": "admin,op",
                        "default": CREATOR_ROLES,
                    },
                    "data_roles": {
                        "description": "Roles whose users may see what a producer's server says of an error, which can "
                        "hold values, with commas between them; they must be allowed to edit the DAG too. None: who "
                        f"may edit the DAG. {DATA_ROLES_VARIABLE} wins. Upper and lower case are the same.",
                        "version_added": None,
                        "type": "string",
                        "example": "admin",
                        "default": None,
                    },
                },
            }
        },
    }
