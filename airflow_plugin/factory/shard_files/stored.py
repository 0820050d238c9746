"""The file that Airflow has stored for each DAG, from Airflow's own tables, which are not public.

Read only while streams move between files, and while the control database is down. Without these tables (AIP-92 takes
them from the dag-processor), moves take a minute longer.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

log = logging.getLogger(__name__)


def stored_dags(bundle: str) -> Mapping[str, str] | None:
    """Return the file, below the bundle's folder, of each of its DAGs that is not stale; None if that is unknown."""
    try:
        from airflow.models.dag import DagModel
        from airflow.utils.session import create_session
        from sqlalchemy import select

        with create_session() as session:
            rows = session.execute(
                select(DagModel.dag_id, DagModel.relative_fileloc).where(
                    DagModel.bundle_name == bundle, DagModel.is_stale.is_(False)
                )
            )
            return {dag_id: file for dag_id, file in rows if file}
    except Exception as error:  # whatever becomes of what is not public, DAGs are kept without it
        log.warning("bundle %s: Airflow cannot be asked which files it has stored: %s", bundle, type(error).__name__)
        return None
