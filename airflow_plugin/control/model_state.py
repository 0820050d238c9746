"""What sync records of the model for jobs: its commit, and what a model that is code gave."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from airflow_plugin.control.session import NO_VALUES, ControlSession
from config_schema import names
from config_schema.model.compiled import CompiledModel, compiled_from_json
from config_schema.sql.statements import SqlFile, quoted

STATEMENTS = SqlFile(__file__)
COMPILED_MODELS_KEPT = 20


@dataclass(frozen=True)
class ModelState:
    """What sync has recorded of the model for a platform. Methods raise MergeStoreError, and never commit."""

    session: ControlSession

    def commit(self) -> str | None:
        """Return the commit of the model that was synced last; None before the first sync."""
        if not self.session.has_table(names.model_state_table(self.session.platform)):
            return None
        rows = self._run("select_model_commit")
        return rows[0][0] if rows else None

    def record_commit(self, commit: str, *, applied_by: str) -> None:
        """Record the commit that was synced, and by whom."""
        self._run("record_model_commit", {"model_commit": commit, "applied_by": applied_by})

    def compiled(self, commit: str) -> list[CompiledModel]:
        """Return what was recorded for a commit; empty where there is no such table."""
        table = names.compiled_model_table(self.session.platform)
        if not self.session.has_table(table):
            return []
        rows = self._run("select_compiled_models", {"model_commit": commit})
        return [compiled_from_json(document, quoted(self.session.schema, table)) for (document,) in rows]

    def record_compiled(self, model: CompiledModel, *, compiled_by: str) -> None:
        """Keep what a model that is code gave, for the jobs that run its commit; the oldest of many are forgotten."""
        values = {"model_commit": model.commit, "digest": model.digest, "document": model.to_json()}
        self._run("record_compiled_model", values | {"compiled_by": compiled_by})
        self._run("forget_old_compiled_models", {"kept": COMPILED_MODELS_KEPT})

    def _run(self, name: str, values: Mapping[str, Any] = NO_VALUES) -> list[tuple[Any, ...]]:
        return self.session.run(STATEMENTS[name], values)
