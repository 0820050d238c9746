"""Initial, in a lake: new tables there and an empty table of keys; all rows are then new to a comparison."""

from __future__ import annotations

from merge_jobs.stores.lake import writing
from merge_jobs.stores.postgres.tables import create_merge_table
from merge_jobs.strategies.full import FULL
from merge_jobs.strategies.step import Step, on_store
from merge_jobs.strategies.strategy import Staging, Strategy


def _new_tables(state: Staging) -> None:
    create_merge_table(state.tables, state.reading.batch_id)
    state.tables.run(".create_key_index")
    writing.create_tables(state.tables)


INITIAL_IN_LAKE = Strategy(
    name="initial",
    # The new tables are nobody's before the batch is committed.
    resumable=False,
    staging=Staging,
    stage_steps=(
        Step(
            _new_tables,
            (
                on_store(
                    "tables of the rows in the lake, and a table of their keys",
                    "lake.create_merge_table",
                    "dataset.comment_merge_table",
                    "lake.create_key_index",
                    "lake.create_namespace",
                    "lake.create_table",
                ),
            ),
        ),
        *FULL.stage_steps,
    ),
    apply_steps=FULL.apply_steps,
)
