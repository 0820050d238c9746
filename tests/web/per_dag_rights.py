"""Airflow's simple auth manager: two users see one stream's DAG only, and a third may trigger none."""

from __future__ import annotations

from typing import Any

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.auth.managers.simple.simple_auth_manager import SimpleAuthManager

NARROW, MAKER, EDITOR = "narrow", "maker", "editor"  # the users' names; the maker may create streams
SEEN_BY_NARROW = ("yellowlive__Store1_ingestion", "yellowlive__NewOfNarrow_ingestion")


class PerDagAuthManager(SimpleAuthManager):
    """Rights by DAG id, as production's auth managers have them."""

    def is_authorized_dag(self, *, method: Any, user: Any, access_entity: Any = None, details: Any = None) -> bool:
        if user.username in (NARROW, MAKER) and (details is None or details.id not in SEEN_BY_NARROW):
            return False
        if user.username == EDITOR and access_entity is DagAccessEntity.RUN and method == "POST":
            return False
        return super().is_authorized_dag(method=method, user=user, access_entity=access_entity, details=details)
