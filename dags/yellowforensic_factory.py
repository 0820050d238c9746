"""The ingestion DAGs of platform YellowForensic, from the rows of its stream table."""

import airflow.sdk.definitions.dag

from airflow_plugin.factory import publish

publish(globals(), platform="YellowForensic")
