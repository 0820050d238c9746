"""The ingestion DAGs of platform YellowForensic, from the rows of its stream table."""

import airflow.sdk.bases.branch
import airflow.sdk.definitions.dag
import airflow.sdk.definitions.timetables.trigger

from airflow_plugin.factory import publish

publish(globals(), platform="YellowForensic")
