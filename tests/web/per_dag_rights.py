"""Airflow's simple auth manager, with one user more who may see and edit the DAGs of one stream only."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

NARROW = "narrow"  # the user's name
SEEN_BY_NARROW = ("yellowlive__Store1_ingestion", "yellowlive__NewOfNarrow_ingestion")


class PerDagAuthManager(SimpleAuthManager):
    """Rights by DAG id, as production's auth managers have them."""

    def is_authorized_dag(self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None) -> bool:
        if user.username == NARROW and (details is None or details.id not in SEEN_BY_NARROW):
            return False
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
