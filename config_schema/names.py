"""Every derived name: DAG ids, tables, run ids, pods, environment variables. Nothing else builds names.

`original` is the platform's name in the model (`YellowLive`), `platform` the derived one (`yellowlive`).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from datetime import date

POSTGRES_NAME_BYTES = 63  # NAMEDATALEN - 1; PostgreSQL cuts longer names without an error
DNS_LABEL_LENGTH = 63  # RFC 1123
DAG_ID_LENGTH = 250  # Airflow's column
ASSET_NAME_LENGTH = 1500  # Airflow's column
ASSET_SCHEME = "x-stream"  # Airflow takes the URIs of an x- scheme as they are
SHADOW = "__shadow"
ENVIRONMENT_VARIABLE = "DAGFACTORY_ENVIRONMENT"  # of the model, for commands and jobs
TERMINATION_MESSAGE_VARIABLE = "DATASURFACE_TERMINATION_MESSAGE_PATH"


LAKE_NAME_BYTES = 200  # of a folder, with room for what file systems add


def shortened(name: str, limit: int = POSTGRES_NAME_BYTES, joint: str = "_") -> str:
    """Return the name if it has at most `limit` bytes of UTF-8, otherwise its start, `joint` and a hash of the name."""
    encoded = name.encode()
    if len(encoded) <= limit:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:10]
    start = encoded[: limit - len(joint) - len(digest)].decode(errors="ignore")
    return f"{start}{joint}{digest}"


def without_shadow(store: str) -> str:
    """Return the name of a datastore without the ending that a trial's store has."""
    return store.removesuffix(SHADOW)


def dns_label(name: str) -> str:
    """Return a name as an RFC 1123 label: lower case, digits and inner hyphens, at most 63 characters."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return shortened(label, DNS_LABEL_LENGTH, joint="-")


@lru_cache
def platform_name(original: str) -> str:
    """Return the name in DAG ids, tables and Kubernetes objects: `YellowLive` -> `yellowlive`."""
    return dns_label(original)


def is_platform(name: str, original: str) -> bool:
    """Return whether a person who writes `name` means the platform: by its name in the model, or by the derived one."""
    return name in (original, platform_name(original))


def meant_platform(name: str, originals: Iterable[str]) -> str:
    """Return which of the platforms a person means by either of its names; `name` itself if it is none of them."""
    known = list(originals)
    return name if name in known else next((one for one in known if is_platform(name, one)), name)


def stream_key(store: str, dataset: str | None = None) -> str:
    """Return a stream's key: `Store1`, or `Store1#customers` for a stream of one dataset."""
    return store if dataset is None else f"{store}#{dataset}"


def shadow_store(store: str) -> str:
    """Return the datastore's name in a trial beside a static DAG: `Store1__shadow`."""
    return f"{store}{SHADOW}"


# --- Airflow


def dag_id(platform: str, stream: str) -> str:
    """Return the id of a stream's ingestion DAG: `yellowlive__Store1_ingestion`."""
    return shortened(f"{platform}__{stream.replace('#', '__')}_ingestion", DAG_ID_LENGTH)


def self_trigger_run_id(stream: str, batch_id: int, snapshot_time: str | None = None) -> str:
    """Return the id of the run after KEEP_WORKING: one per stream and batch, so that it is created once.

    `snapshot_time` (ISO 8601) is the batch's: a stream that was purged and has come back counts its batches again.
    """
    second = "".join(filter(str.isdigit, snapshot_time or ""))[:14]
    parts = ("keep_working", stream.replace("#", "__"), str(batch_id), *([second] if second else []))
    return shortened("__".join(parts), DAG_ID_LENGTH)


def approval_run_id(stream: str, batch_id: int, day: date) -> str:
    """Return the id of the run that asks for the approval of what a batch would delete: one for each day."""
    return shortened(f"ask_delete__{stream.replace('#', '__')}__{batch_id}__{day:%Y-%m-%d}", DAG_ID_LENGTH)


def dataset_asset(original: str, store: str, dataset: str) -> str:
    """Return name and URI of a dataset's asset on a platform: `x-stream://YellowLive/Store1/customers`."""
    return shortened(f"{ASSET_SCHEME}://{original}/{store}/{quote(dataset, safe='')}", ASSET_NAME_LENGTH)


def asset_uri(text: str) -> str:
    """Return the URI of an asset as a row names it; `YellowLive/Store1/customers` becomes one."""
    return text if "://" in text else dataset_asset(*text.split("/", 2))


def stream_alias(original: str, stream: str) -> str:
    """Return the asset alias that stands for all datasets of a stream: `x-stream://YellowLive/Store1`."""
    return shortened(f"{ASSET_SCHEME}://{original}/{quote(stream, safe='#')}", ASSET_NAME_LENGTH)


def shape_asset(original: str) -> str:
    """Return name and URI of the asset for the shape of consumers' views: an event says that it has changed."""
    return f"x-shape://{original}"


def infrastructure_dag_id(platform: str) -> str:
    """Return the id of the DAG that keeps a platform's tables and views."""
    return f"{platform}_infrastructure"


def health_dag_id(platform: str) -> str:
    """Return the id of the DAG that examines a platform's streams."""
    return f"{platform}_health"


def operations_dag_id(platform: str) -> str:
    """Return the id of the DAG whose runs do what people request."""
    return f"{platform}_operations"


def factory_file(platform: str, number: int = 1, count: int = 1) -> str:
    """Return the name of a factory file in the dags folder: `yellowlive_factory.py`, `..._1_of_4.py`."""
    return f"{platform}_factory.py" if count == 1 else f"{platform}_factory_{number}_of_{count}.py"


def bundle_streams_file(platform: str, number: int) -> str:
    """Return the name of a file of the bundle for a part of the streams: `yellowlive_factory_streams_0003.py`."""
    return f"{platform}_factory_streams_{number:04}.py"


def bundle_platform_file(platform: str) -> str:
    """Return the name of the file that the bundle writes for the DAGs of the platform itself."""
    return f"{platform}_factory_platform.py"


def settings_file(platform: str) -> str:
    """Return the name of a platform's settings file."""
    return f"{platform}.settings.json"


def chart_values_file(platform: str) -> str:
    """Return the name of the file with a platform's values for the chart."""
    return f"{platform}.values.yaml"


def secrets_file(platform: str) -> str:
    """Return the name of the file that lists the secrets a platform needs."""
    return f"{platform}.secrets.md"


def contract_file(store: str) -> str:
    """Return the file with a datastore's data contract: `Store1.odcs.yaml`."""
    return f"{store}.odcs.yaml"


def ecosystem_contract_file(ecosystem: str) -> str:
    """Return the file with what no data contract of a model says; no datastore's file has such a name."""
    return f"{ecosystem}+ecosystem.odcs.yaml"


def snapshot_file(platform: str) -> str:
    """Return the name of the file with the last good rows of a platform."""
    return f"{platform}.snapshot"


# --- The merge store: tables of a platform


def stream_table(platform: str) -> str:
    """Return the name of a platform's stream table."""
    return shortened(f"{platform}_airflow_dsg")


def stream_history_table(platform: str) -> str:
    """Return the name of the table with every version of a platform's rows."""
    return shortened(f"{platform}_airflow_dsg_history")


def stream_revision_table(platform: str) -> str:
    """Return the table that says which transaction last changed each row of the stream table."""
    return shortened(f"{platform}_airflow_dsg_revision")


def stream_revision_index(platform: str) -> str:
    """Return the name of the index by which changed rows are found."""
    return shortened(f"{platform}_airflow_dsg_changed_in")


def stream_revision_trigger(platform: str) -> str:
    """Return the name of the trigger that writes the revisions, and of its function."""
    return shortened(f"{platform}_note_revision")


def stream_history_index(platform: str) -> str:
    """Return the name that PostgreSQL gives the index by default, if it is not too long."""
    return shortened(f"{stream_history_table(platform)}_stream_key_id_idx")


def model_state_table(platform: str) -> str:
    """Return the name of the table with the commit that sync has recorded."""
    return shortened(f"{platform}_model_state")


def compiled_model_table(platform: str) -> str:
    """Return the name of the table with the output of a model that is code."""
    return shortened(f"{platform}_compiled_model")


def job_model_table(platform: str) -> str:
    """Return the name of the table with what sync compiled of the model for jobs."""
    return shortened(f"{platform}_job_model")


def batch_counter_table(platform: str) -> str:
    """Return the name of the table that numbers the batches of each stream."""
    return shortened(f"{platform}_batch_counter")


def batch_metrics_table(platform: str) -> str:
    """Return the name of the table with a row for each batch."""
    return shortened(f"{platform}_batch_metrics")


def batch_run_index(platform: str) -> str:
    """Return the name of the index by which a run's batches are found."""
    return shortened(f"{platform}_batch_metrics_run")


def batch_results_index(platform: str) -> str:
    """Return the name of the index by which the batches that still have their results are found."""
    return shortened(f"{platform}_batch_metrics_results")


def old_batch_results_index(platform: str) -> str:
    """Return the name of that index before version 3 of the tables."""
    return shortened(f"{platform}_batch_metrics_told")


def rejected_keys_table(platform: str) -> str:
    """Return the name of the table with keys that a batch refused."""
    return shortened(f"{platform}_rejected_keys")


def erased_keys_table(platform: str) -> str:
    """Return the name of the table with a digest of each key that was erased for good."""
    return shortened(f"{platform}_erased_keys")


def erasure_salt_table(platform: str) -> str:
    """Return the name of the table with the salt of these digests, which only the owner of the tables reads."""
    return shortened(f"{platform}_erasure_salt")


def files_read_table(platform: str) -> str:
    """Return the name of the table with the files that were read, of datasets whose files are each read once."""
    return shortened(f"{platform}_files_read")


def row_maps_table(platform: str) -> str:
    """Return the name of the table with a row for each row map."""
    return shortened(f"{platform}_row_maps")


def run_results_table(platform: str) -> str:
    """Return the name of the table with the result of each run."""
    return shortened(f"{platform}_run_results")


def run_results_ended_index(platform: str) -> str:
    """Return the name of the index by which a stream's newest results are found."""
    return shortened(f"{platform}_run_results_ended")


def run_results_kept_index(platform: str) -> str:
    """Return the name of the index by which results are found that need not be kept any more."""
    return shortened(f"{platform}_run_results_kept")


def progress_table(platform: str) -> str:
    """Return the name of the table that says what running jobs are at."""
    return shortened(f"{platform}_progress")


def stream_alerts_table(platform: str) -> str:
    """Return the name of the table with what was last reported of streams."""
    return shortened(f"{platform}_stream_alerts")


def source_checks_table(platform: str) -> str:
    """Return the name of the table with what was found when the source of each stream was looked at last."""
    return shortened(f"{platform}_source_checks")


def source_errors_index(platform: str) -> str:
    """Return the name of the index by which the streams are found whose source cannot be read."""
    return shortened(f"{platform}_source_checks_errors")


def schema_version_table(platform: str) -> str:
    """Return the name of the table that says which migrations a platform's tables have."""
    return shortened(f"{platform}_schema_version")


def platform_tables(platform: str) -> tuple[str, ...]:
    """Return the names of all tables above; merge tables and archived ones are not among them."""
    return (
        stream_table(platform),
        stream_history_table(platform),
        stream_revision_table(platform),
        model_state_table(platform),
        compiled_model_table(platform),
        job_model_table(platform),
        stream_alerts_table(platform),
        batch_counter_table(platform),
        batch_metrics_table(platform),
        rejected_keys_table(platform),
        row_maps_table(platform),
        erased_keys_table(platform),
        erasure_salt_table(platform),
        files_read_table(platform),
        run_results_table(platform),
        progress_table(platform),
        source_checks_table(platform),
        schema_version_table(platform),
    )


def archive_schema(platform: str) -> str:
    """Return the name of the schema that holds the tables of retired streams."""
    return shortened(f"{platform}_archive")


# --- The merge store: tables of a dataset


def merge_table(platform: str, store: str, dataset: str) -> str:
    """Return the name of a dataset's merge table."""
    return shortened(f"{platform}_{store}_{dataset}_merge")


def lake_table(store: str, dataset: str, kind: str) -> str:
    """Return the name of a dataset's table in a lake, `versions` or `closings`: small letters, digits and `_`.

    It is a folder's too, and some tools there know no other letters.
    """
    name = f"{store}_{dataset}_{kind}"
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower())
    if plain == name.lower():
        return shortened(plain, LAKE_NAME_BYTES)
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return shortened(f"{plain}_{digest}", LAKE_NAME_BYTES)


def staging_table(platform: str, store: str, dataset: str, number: int = 1) -> str:
    """Return the name of a dataset's staging table."""
    return shortened(f"{platform}_{store}_{dataset}_staging{_after_the_first(number)}")


def row_map_table(platform: str, store: str, dataset: str) -> str:
    """Return the name of a dataset's row map."""
    return shortened(f"{platform}_{store}_{dataset}_map")


def row_map_staging_table(platform: str, store: str, dataset: str, number: int = 1) -> str:
    """Return the name of the table in which a batch builds a dataset's next row map."""
    return shortened(f"{platform}_{store}_{dataset}_map_staging{_after_the_first(number)}")


def _after_the_first(number: int) -> str:
    """Return the suffix of a second table of a kind: a batch makes one while another session reads the first."""
    return "" if number == 1 else f"_{number}"


def merge_key_index(table: str) -> str:
    """Return the name of a merge table's index on its key."""
    return shortened(f"{table}_key")


def merge_past_index(table: str) -> str:
    """Return the name of a forensic merge table's index on closed versions."""
    return shortened(f"{table}_past")


def merge_closed_index(table: str) -> str:
    """Return the name of a forensic merge table's index by which versions are found that were closed long ago."""
    return shortened(f"{table}_closed")


def consumer_index(table: str, columns: Sequence[str], method: str, rows: str) -> str:
    """Return the name of an index on a merge table for its readers; another definition gives another name."""
    digest = hashlib.sha256(json.dumps([table, list(columns), method, rows]).encode()).hexdigest()[:10]
    return f"{shortened(table, POSTGRES_NAME_BYTES - 14)}_ix_{digest}"


def as_of_function(table: str) -> str:
    """Return the name of a function that shows a forensic merge table as it was, at a batch or at a time."""
    return shortened(f"{table}_as_of")


def changed_rows_table(dataset: str) -> str:
    """Return the temporary table with the rows that a batch inserts or updates, for its quality checks."""
    return shortened(f"ds_changed_{dataset}")


def earlier_values_table(dataset: str) -> str:
    """Return the temporary table with keys that other datasets may refer to, before the batch."""
    return shortened(f"ds_earlier_{dataset}")


def own_column(wanted: str, columns: Collection[str]) -> str:
    """Return a name for a column of ours beside a dataset's: `wanted`, or `wanted_2` if the dataset has that one."""
    name, number = wanted, 1
    while name in columns:
        number += 1
        name = f"{wanted}_{number}"
    return name


def merge_session(platform: str, stream: str, run_id: str) -> str:
    """Return the application_name of a merge job's sessions, shown in pg_stat_activity."""
    return shortened(f"merge-job {platform} {stream} {run_id}")


def change_feed_slot(platform: str, stream: str) -> str:
    """Return the name of the replication slot of a stream at its producer: of lower case letters, digits and `_`."""
    digest = hashlib.sha256(f"{platform}/{stream}".encode()).hexdigest()[:10]
    plain = re.sub(r"[^a-z0-9]+", "_", f"{platform}_{stream}".lower()).strip("_")
    return f"{plain[: POSTGRES_NAME_BYTES - 1 - len(digest)]}_{digest}"


def archive_session(platform: str) -> str:
    """Return the application_name of `merge-job archive`."""
    return shortened(f"merge-job archive {platform}")


def status_session(platform: str) -> str:
    """Return the application_name of `merge-job status`."""
    return shortened(f"merge-job status {platform}")


# --- What consumers see


def workspace_schema(workspace: str) -> str:
    """Return the schema of a workspace's views: `ws_Consumer1`, so that no workspace gets `public`."""
    return shortened(f"ws_{workspace}")


def consumer_view(platform: str, workspace: str, group: str, store: str, dataset: str, kind: str) -> str:
    """Return a view's name: `yellowlive_Consumer1_LiveDSG_Store1_customers_view_live`.

    A name that is too long is shortened before its ending.
    """
    ending = f"_view_{kind}"
    start = f"{platform}_{workspace}_{group}_{store}_{dataset}"
    return shortened(start, POSTGRES_NAME_BYTES - len(ending.encode())) + ending


SHORT_ENDINGS = {"live": "", "full": "_history", "asof": "_as_of"}  # by the kind of view


def short_view(dataset: str, kind: str) -> str:
    """Return a view's name where its schema says the rest: `customers`, `customers_history`, `customers_as_of`."""
    ending = SHORT_ENDINGS[kind]
    return shortened(dataset, POSTGRES_NAME_BYTES - len(ending)) + ending


def batches_view(platform: str) -> str:
    """Return the view of the committed batches of a platform that concern a workspace."""
    return shortened(f"{platform}_batches")


def foreign_server(platform: str) -> str:
    """Return the foreign server through which a consumers' database elsewhere reads a merge store."""
    return shortened(f"{platform}_merge_store")


def freshness_view() -> str:
    """Return the view that shows how fresh each dataset of a workspace is."""
    return "freshness"


def consumer_role(ecosystem: str, workspace: str, group: str) -> str:
    """Return the role that may read a dataset group's views; it contains the ecosystem, as roles are per server."""
    ending = "_reader"
    return shortened(f"{ecosystem}_{workspace}_{group}", POSTGRES_NAME_BYTES - len(ending)) + ending


def component_login(database: str, platform: str, duty: str) -> str:
    """Return the role of a platform's components with this duty: `datasurface_merge_yellowlive_reader`.

    Roles belong to the whole server, so the name contains the database.
    """
    ending = f"_{duty}"
    return shortened(f"{database}_{platform}", POSTGRES_NAME_BYTES - len(ending)) + ending


def login_password_variable(platform: str, duty: str) -> str:
    """Return the environment variable with the password for that role: `DAGFACTORY_YELLOWLIVE_READER_PASSWORD`."""
    return secret_variable(f"dagfactory_{platform}_{duty}", "password")


def views_session(workspace: str) -> str:
    """Return the application_name of the session that maintains a workspace's views."""
    return shortened(f"merge-job views {workspace}")


# --- Kubernetes and the environment


def pod_name(platform: str, stream: str) -> str:
    """Return the base of a merge pod's name; the operator appends a random part."""
    return shortened(dns_label(f"{platform}-{stream}-merge"), 52, joint="-").strip("-")


def tls_volume(ca: str) -> str:
    """Return the name of a pod's volume with the CA certificates of a Secret or ConfigMap."""
    return dns_label(f"tls-{ca}")


def label_value(text: str) -> str:
    """Return a Kubernetes label value: at most 63 characters, alphanumeric at both ends."""
    return shortened(re.sub(r"[^A-Za-z0-9_.-]+", "_", text), DNS_LABEL_LENGTH).strip("_.-")


def job_label(platform: str, kind: str, value: str) -> str:
    """Return the label by which the pods of a job are found: a digest, equal for no two jobs.

    Of `label_value` and of Airflow's own labels one could be made for a name that is almost another's.
    """
    return hashlib.sha256(f"{platform}/{kind}/{value}".encode()).hexdigest()[:40]


def secret_variable(secret: str, key: str) -> str:
    """Return the environment variable of a secret's key: (`customer-db`, `password`) -> `CUSTOMER_DB_PASSWORD`."""
    return re.sub(r"[^A-Z0-9]+", "_", f"{secret}_{key}".upper())


def dsn_variable(platform: str) -> str:
    """Return the environment variable with the DSN of a platform's merge store: `DAGFACTORY_YELLOWLIVE_DSN`."""
    return secret_variable(f"dagfactory_{platform}", "dsn")


def connection_id(platform: str) -> str:
    """Return the Airflow connection that replaces the DSN variable."""
    return f"dagfactory_{platform}"


def web_dsn_variable(platform: str) -> str:
    """Return the variable with the pages' and the API's own DSN: `DAGFACTORY_WEB_DSN_YELLOWLIVE`."""
    return secret_variable("dagfactory_web_dsn", platform)


def web_connection_id(platform: str) -> str:
    """Return the Airflow connection that replaces `web_dsn_variable`; no platform's name has an underscore."""
    return f"dagfactory_web_{platform}"
