"""Answers Airflow's OpenLineage provider for a merge task. Light: lineage is imported only when it is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_plugin.jobs.merge_job import MergeJob

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage
    from openlineage.client.event_v2 import Dataset
    from openlineage.client.facet_v2 import RunFacet

    from config_schema.result import MergeResult


class ReportsLineage:
    """For a merge operator. `job_result` is the result of this try's job, as soon as there is one."""

    job: MergeJob
    job_result: MergeResult | None = None

    def get_openlineage_facets_on_start(self) -> OperatorLineage[Dataset, RunFacet]:
        """Return the datasets, as far as the last batch knew them."""
        from airflow_plugin.operators.openlineage import lineage

        return lineage(self.job, None)

    def get_openlineage_facets_on_complete(self, task_instance: object) -> OperatorLineage[Dataset, RunFacet]:
        """Return the datasets with their columns, and what the run did."""
        from airflow_plugin.operators.openlineage import lineage

        return lineage(self.job, self.job_result)

    def get_openlineage_facets_on_failure(self, task_instance: object) -> OperatorLineage[Dataset, RunFacet]:
        """Return the same; the provider adds the error."""
        return self.get_openlineage_facets_on_complete(task_instance)
