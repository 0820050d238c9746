"""Every derived name: DAG ids, tables, run ids, pods, environment variables. Nothing else builds names.

`original` is the platform's name in the model (`YellowLive`), `platform` the derived one (`yellowlive`).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from urllib.parse import quote

POSTGRES_NAME_BYTES = 63  # NAMEDATALEN - 1; PostgreSQL cuts longer names without an error
DNS_LABEL_LENGTH = 63  # RFC 1123
DAG_ID_LENGTH = 250  # Airflow's column
ASSET_NAME_LENGTH = 1500  # Airflow's column
ASSET_SCHEME = "x-stream"  # Airflow takes the URIs of an x- scheme as they are
SHADOW = "__shadow"
TERMINATION_MESSAGE_VARIABLE = "DATASURFACE_TERMINATION_MESSAGE_PATH"


def shortened(name: str, limit: int = POSTGRES_NAME_BYTES, joint: str = "_") -> str:
    """The name itself if it has at most `limit` bytes of UTF-8, else its start, `joint` and a hash of it all."""
    encoded = name.encode()
    if len(encoded) <= limit:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:10]
    start = encoded[: limit - len(joint) - len(digest)].decode(errors="ignore")
    return f"{start}{joint}{digest}"


def dns_label(name: str) -> str:
    """A name as an RFC 1123 label: lower case, digits and inner hyphens, at most 63 characters."""
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return shortened(label, DNS_LABEL_LENGTH, joint="-")


def platform_name(original: str) -> str:
    """`YellowLive` -> `yellowlive`; the name in DAG ids, tables and Kubernetes objects."""
    return dns_label(original)


def stream_key(store: str, dataset: str | None = None) -> str:
    """`Store1`, or `Store1#customers` for a stream of one dataset."""
    return store if dataset is None else f"{store}#{dataset}"


def shadow_store(store: str) -> str:
    """`Store1__shadow`: the store's name in all that a trial beside a static DAG has for itself."""
    return f"{store}{SHADOW}"


# --- Airflow


def dag_id(platform: str, stream: str) -> str:
    """The id of a stream's ingestion DAG: `yellowlive__Store1_ingestion`."""
    return shortened(f"{platform}__{stream.replace('#', '__')}_ingestion", DAG_ID_LENGTH)


def self_trigger_run_id(stream: str, batch_id: int) -> str:
    """The run id of the run that follows KEEP_WORKING: one per stream and batch, so it is made once."""
    return shortened(f"keep_working__{stream.replace('#', '__')}__{batch_id}", DAG_ID_LENGTH)


def dataset_asset(original: str, store: str, dataset: str) -> str:
    """Name and URI of a dataset's asset on a platform: `x-stream://YellowLive/Store1/customers`."""
    return shortened(f"{ASSET_SCHEME}://{original}/{store}/{quote(dataset, safe='')}", ASSET_NAME_LENGTH)


def asset_uri(text: str) -> str:
    """The URI of an asset as a row names it: the URI itself, or `YellowLive/Store1/customers`."""
    return text if "://" in text else dataset_asset(*text.split("/", 2))


def stream_alias(original: str, stream: str) -> str:
    """The asset alias that stands for all datasets of a stream: `x-stream://YellowLive/Store1`."""
    return shortened(f"{ASSET_SCHEME}://{original}/{quote(stream, safe='#')}", ASSET_NAME_LENGTH)


def shape_asset(original: str) -> str:
    """Name and URI of what consumers' views are made of: an event on it tells that their shape has changed."""
    return f"x-shape://{original}"


def infrastructure_dag_id(platform: str) -> str:
    return f"{platform}_infrastructure"


def health_dag_id(platform: str) -> str:
    return f"{platform}_health"


def operations_dag_id(platform: str) -> str:
    """The DAG whose runs do what people ask for."""
    return f"{platform}_operations"


def factory_file(platform: str, number: int = 1, count: int = 1) -> str:
    """The drop-in file in the dags folder, or one of several: `yellowlive_factory_1_of_4.py`."""
    return f"{platform}_factory.py" if count == 1 else f"{platform}_factory_{number}_of_{count}.py"


def settings_file(platform: str) -> str:
    return f"{platform}.settings.json"


def chart_values_file(platform: str) -> str:
    return f"{platform}.values.yaml"


def secrets_file(platform: str) -> str:
    """The list of the secrets that a platform needs."""
    return f"{platform}.secrets.md"


def snapshot_file(platform: str) -> str:
    return f"{platform}.snapshot"


# --- The merge store: tables of a platform


def stream_table(platform: str) -> str:
    return shortened(f"{platform}_airflow_dsg")


def stream_history_table(platform: str) -> str:
    return shortened(f"{platform}_airflow_dsg_history")


def model_state_table(platform: str) -> str:
    return shortened(f"{platform}_model_state")


def compiled_model_table(platform: str) -> str:
    return shortened(f"{platform}_compiled_model")


def batch_counter_table(platform: str) -> str:
    return shortened(f"{platform}_batch_counter")


def batch_metrics_table(platform: str) -> str:
    return shortened(f"{platform}_batch_metrics")


def batch_run_index(platform: str) -> str:
    return shortened(f"{platform}_batch_metrics_run")


def batch_told_index(platform: str) -> str:
    return shortened(f"{platform}_batch_metrics_told")


def rejected_keys_table(platform: str) -> str:
    return shortened(f"{platform}_rejected_keys")


def row_maps_table(platform: str) -> str:
    return shortened(f"{platform}_row_maps")


def platform_tables(platform: str) -> tuple[str, ...]:
    """All of these; archived and merge tables are not among them."""
    return (
        stream_table(platform),
        stream_history_table(platform),
        model_state_table(platform),
        compiled_model_table(platform),
        batch_counter_table(platform),
        batch_metrics_table(platform),
        rejected_keys_table(platform),
        row_maps_table(platform),
    )


def archive_schema(platform: str) -> str:
    """Where the tables of retired streams are put aside."""
    return shortened(f"{platform}_archive")


# --- The merge store: tables of a dataset


def merge_table(platform: str, store: str, dataset: str) -> str:
    return shortened(f"{platform}_{store}_{dataset}_merge")


def staging_table(platform: str, store: str, dataset: str, number: int = 1) -> str:
    return shortened(f"{platform}_{store}_{dataset}_staging{_after_the_first(number)}")


def row_map_table(platform: str, store: str, dataset: str) -> str:
    return shortened(f"{platform}_{store}_{dataset}_map")


def row_map_staging_table(platform: str, store: str, dataset: str, number: int = 1) -> str:
    return shortened(f"{platform}_{store}_{dataset}_map_staging{_after_the_first(number)}")


def _after_the_first(number: int) -> str:
    """The ending of a second table of a kind, which a batch makes while another session reads the first."""
    return "" if number == 1 else f"_{number}"


def merge_key_index(table: str) -> str:
    return shortened(f"{table}_key")


def merge_past_index(table: str) -> str:
    return shortened(f"{table}_past")


def as_of_function(table: str) -> str:
    """The functions that give a forensic merge table as it was: by a batch, by a time."""
    return shortened(f"{table}_as_of")


def brought_table(dataset: str) -> str:
    """A temporary table of a batch with quality checks: the rows of the dataset that it brings."""
    return shortened(f"ds_brought_{dataset}")


def taken_table(dataset: str) -> str:
    """A temporary table of a batch with quality checks: what other datasets may refer to, before it."""
    return shortened(f"ds_taken_{dataset}")


def own_column(wanted: str, columns: Collection[str]) -> str:
    """A column of ours beside those of a dataset: the name wanted, or `ds_hash_2` where a column has that already."""
    name, number = wanted, 1
    while name in columns:
        number += 1
        name = f"{wanted}_{number}"
    return name


def merge_session(platform: str, stream: str, run_id: str) -> str:
    """The application_name of a merge job's sessions, by which a person finds them in pg_stat_activity."""
    return shortened(f"merge-job {platform} {stream} {run_id}")


def archive_session(platform: str) -> str:
    """The application_name of `merge-job archive`."""
    return shortened(f"merge-job archive {platform}")


def status_session(platform: str) -> str:
    """The application_name of `merge-job status`."""
    return shortened(f"merge-job status {platform}")


# --- What consumers see


def workspace_schema(workspace: str) -> str:
    """The schema with a workspace's views: `ws_Consumer1`, so that none is `public`."""
    return shortened(f"ws_{workspace}")


def consumer_view(platform: str, workspace: str, group: str, store: str, dataset: str, kind: str) -> str:
    """`yellowlive_Consumer1_LiveDSG_Store1_customers_view_live`; what is too long keeps its ending."""
    ending = f"_view_{kind}"
    start = f"{platform}_{workspace}_{group}_{store}_{dataset}"
    return shortened(start, POSTGRES_NAME_BYTES - len(ending.encode())) + ending


def batches_view(platform: str) -> str:
    """The committed batches of a platform, as far as they are a workspace's; beside its other views."""
    return shortened(f"{platform}_batches")


def foreign_server(platform: str) -> str:
    """A merge store as a consumers' database elsewhere knows it: the server, and the schema of its tables."""
    return shortened(f"{platform}_merge_store")


def freshness_view() -> str:
    """How fresh each dataset of a workspace is; beside its other views."""
    return "freshness"


def consumer_role(ecosystem: str, workspace: str, group: str) -> str:
    """The role that may read a dataset group's views; roles are the whole server's, so the ecosystem is in it."""
    ending = "_reader"
    return shortened(f"{ecosystem}_{workspace}_{group}", POSTGRES_NAME_BYTES - len(ending)) + ending


def component_login(database: str, platform: str, duty: str) -> str:
    """Return the role of a platform's components with this duty: `datasurface_merge_yellowlive_reader`.

    Roles are the whole server's, so the database is in the name.
    """
    ending = f"_{duty}"
    return shortened(f"{database}_{platform}", POSTGRES_NAME_BYTES - len(ending)) + ending


def login_password_variable(platform: str, duty: str) -> str:
    """Return the environment variable with the password for that role: `DAGFACTORY_YELLOWLIVE_READER_PASSWORD`."""
    return secret_variable(f"dagfactory_{platform}_{duty}", "password")


def views_session(workspace: str) -> str:
    """The application_name of who keeps a workspace's views."""
    return shortened(f"merge-job views {workspace}")


# --- Kubernetes and the environment


def pod_name(platform: str, stream: str) -> str:
    """The base of a merge pod's name; the operator appends a random part of its own."""
    return shortened(dns_label(f"{platform}-{stream}-merge"), 52, joint="-").strip("-")


def tls_volume(ca: str) -> str:
    """The volume of a pod with the CA certificates of a Secret or ConfigMap."""
    return dns_label(f"tls-{ca}")


def label_value(text: str) -> str:
    """A Kubernetes label value: at most 63 characters, alphanumeric at both ends."""
    return shortened(re.sub(r"[^A-Za-z0-9_.-]+", "_", text), DNS_LABEL_LENGTH).strip("_.-")


def secret_variable(secret: str, key: str) -> str:
    """The environment variable of a secret's key: (`customer-db`, `password`) -> `CUSTOMER_DB_PASSWORD`."""
    return re.sub(r"[^A-Z0-9]+", "_", f"{secret}_{key}".upper())


def dsn_variable(platform: str) -> str:
    """The environment variable with the DSN of a platform's merge store: `DAGFACTORY_YELLOWLIVE_DSN`."""
    return secret_variable(f"dagfactory_{platform}", "dsn")


def connection_id(platform: str) -> str:
    """The Airflow connection that stands in for the DSN variable."""
    return f"dagfactory_{platform}"


def web_dsn_variable(platform: str) -> str:
    """Like `dsn_variable`, for the pages and the REST API: `DAGFACTORY_WEB_DSN_YELLOWLIVE`."""
    return secret_variable("dagfactory_web_dsn", platform)


def web_connection_id(platform: str) -> str:
    """The Airflow connection that stands in for that variable; no platform's name has an underscore."""
    return f"dagfactory_web_{platform}"
