"""The platform's own DAG, which ingests nothing."""

from datetime import datetime

from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.providers.cncf.kubernetes.operators.kubernetes_pod import KubernetesPodOperator

with DAG("yellowlive_infrastructure", schedule="@daily", start_date=datetime(2025, 1, 1), catchup=False) as dag:
    start = EmptyOperator(task_id="start")
    merge_model = KubernetesPodOperator(
        task_id="model_merge",
        image="registry.example/merge-job:0.1.0",
        arguments=["--platform-name", "YellowLive", "--operation", "model-merge-handler"],
    )
    start >> merge_model
