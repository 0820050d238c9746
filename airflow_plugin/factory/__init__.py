"""The parse path: rows -> plans -> DAGs. Read rows.py, plan.py, build.py, publish.py."""

from airflow_plugin.factory.publish import publish

__all__ = ["publish"]
