"""Steps by which several strategies make the tables that they stage into."""

from __future__ import annotations

from merge_jobs.stores.postgres import row_maps
from merge_jobs.stores.postgres.row_maps import MapKind
from merge_jobs.stores.postgres.tables import create_staging
from merge_jobs.strategies.step import Step, on_source, on_store
from merge_jobs.strategies.strategy import Staging

STAGING = on_store("an empty staging table", "dataset.create_staging", "dataset.comment_staging")
INTO_STAGING = on_store("into the staging table", "dataset.copy_to_staging")
VERSIONS_OUT = on_source("the row versions of each block, by windows of blocks", "version_diff.versions")


def empty_staging(state: Staging) -> None:
    """Create an empty staging table."""
    state.made = create_staging(state.tables)


CREATE_STAGING = Step(empty_staging, (STAGING,))


def create_staged_map(kind: MapKind) -> Step[Staging]:
    """Return the step that makes an empty table for what is to change in a map of that kind."""

    def empty_map(state: Staging) -> None:
        row_maps.create_staged_map(state.tables, kind)

    title = "an empty table for what is to change in the map of the rows"
    return Step(empty_map, (on_store(title, f"{kind.value}.create_staged_map", "row_map.comment_staged_map"),))
