"""The rules between the objects of a model: each yields a Finding for every place that breaks it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from config_schema.model import Ecosystem
from config_schema.model.mapping import DsgMapping
from config_schema.problem import Finding, Rule
from config_schema.rules import (
    columns,
    consumption,
    cursors,
    environments,
    feeds,
    files,
    lakes,
    mapping,
    names,
    platforms,
    quality,
    references,
    rest,
    schedules,
    tls,
)

OF_THE_ECOSYSTEM: dict[Callable[[Ecosystem], Iterator[Finding]], Rule] = {
    names.names_stand_once: Rule(
        "DF1401",
        "Each platform, datastore, dataset, column, workspace, dataset group and team has a name of its own.",
    ),
    references.owners_are_teams: Rule(
        "DF1402", "An `owner` is one of the `teams`; an ecosystem that has teams has an owner."
    ),
    columns.keys_are_columns: Rule(
        "DF1403", "The columns of a primary key exist, are not nullable, and have types whose values can be ordered."
    ),
    columns.types_exist: Rule(
        "DF1404",
        "A column's type is one of PostgreSQL's or one of its datastore's `types`, or it is quoted or qualified.",
    ),
    columns.columns_fit_the_merge_table: Rule(
        "DF1405",
        "A name has at most 63 bytes and is not reserved by PostgreSQL or by merge tables; a table has at most 1596 "
        "columns.",
    ),
    columns.tables_are_classified_alike: Rule(
        "DF1406", "A column of a source's table has the same classification in all datasets that read the table."
    ),
    columns.rows_fit_a_page: Rule(
        "DF1407",
        "The smallest possible row of a dataset fits into a page of PostgreSQL (8,160 bytes), on a forensic platform "
        "together with its version columns.",
    ),
    references.sinks_exist: Rule("DF1408", "Each sink of a dataset group is a dataset of a datastore."),
    consumption.classifications_are_seen: Rule(
        "DF1409",
        "A group contains only columns whose classification its workspace may see (`may_see`), unless the workspace "
        "masks them (`masks`).",
    ),
    schedules.schedules_hold: Rule(
        "DF1410",
        "A schedule is a cron expression or a preset, and comes at some time; a time zone is a known IANA name.",
    ),
    platforms.addresses_hold_no_secret: Rule("DF1411", "The address of the model contains no password."),
    platforms.merge_stores_are_postgresql: Rule("DF1412", "Merge stores and consumers' databases are PostgreSQL."),
    platforms.oracle_databases_are_sids: Rule(
        "DF1429", "The database of an Oracle source is a SID: letters, digits, `_`, `$`, `#`, `.` and `-`."
    ),
    tls.tls_can_be_had: Rule(
        "DF1413", "`tls` and `tls_ca` of a database go together, and the database's driver supports them."
    ),
    platforms.secrets_have_variables_of_their_own: Rule(
        "DF1414", "No two secrets are passed in the same environment variable."
    ),
    names.derived_names_differ: Rule(
        "DF1415", "The names of tables, views, roles and DAGs that are derived from the model are all different."
    ),
    quality.quality_findings: Rule(
        "DF1416", "Quality checks name existing columns and datasets, and their bounds can be met."
    ),
    columns.valid_from_is_a_time: Rule(
        "DF1424", "`valid_from` of a dataset is one of its columns: a timestamp or a date, and not nullable."
    ),
    columns.indexes_can_be_built: Rule(
        "DF1425", "`indexes` of a dataset name its columns, and none stands already by its key."
    ),
    cursors.cursors_can_be_followed: Rule(
        "DF1426",
        "`strategy: cursor` and `cursor` of a dataset go together; the columns that `cursor` names exist and have "
        "types that fit.",
    ),
    files.files_can_be_read: Rule(
        "DF1428",
        "A source of files names a folder or a bucket, one of SQLite a file, and each dataset files in a known format.",
    ),
    rest.apis_can_be_read: Rule(
        "DF1431",
        "A source of kind rest names a path and a port, and each dataset an endpoint with a paginator; only it has "
        "`auth`, `endpoint` and `path`.",
    ),
    rest.wholes_are_as_sensitive_as_their_parts: Rule(
        "DF1432", "A column with an object or a record of an API is classified as the most sensitive of its parts."
    ),
    feeds.feeds_are_of_postgresql: Rule(
        "DF1433", "A datastore with a `change_feed` has a source of kind `postgresql`."
    ),
    environments.overrides_fit: Rule(
        "DF1430", "What a part has instead in an environment is for one of the model's `environments`, given once."
    ),
    lakes.lakes_can_be_had: Rule(
        "DF1434",
        "A platform with a `lake` has `runner: process` and no `consumer_db`; an environment with another merge store "
        "has another warehouse.",
    ),
}
# What a platform's part of a model may break though the model does not.
OF_THE_WHOLE = frozenset([mapping.history_options_have_a_history])
OF_THE_MAPPING: dict[Callable[[Ecosystem, tuple[DsgMapping, ...]], Iterator[Finding]], Rule] = {
    mapping.mapping_refers_to_the_model: Rule(
        "DF1417", "The mapping names existing workspaces, groups and platforms, and each group once."
    ),
    mapping.each_group_has_one_platform: Rule(
        "DF1418",
        'Each group has an entry in the mapping, with at most one `PROVISIONED` platform; `"assignments": []` says '
        "that it has none.",
    ),
    mapping.retention_fits_milestoning: Rule(
        "DF1419", "A group with forensic retention is assigned to a forensic platform."
    ),
    mapping.history_options_have_a_history: Rule(
        "DF1423",
        "A dataset with `keep_closed_days` or `valid_from` that any platform serves is served by a forensic one.",
    ),
    names.short_view_names_differ: Rule(
        "DF1427", "No two datasets of a workspace with `view_names: short` would get a view of one name."
    ),
    schedules.schedules_meet_latencies: Rule(
        "DF1420",
        "The time between two runs of a platform is never longer than the `latency_seconds` of its groups; not checked "
        "for streams that only assets or people start.",
    ),
    lakes.lakes_hold_their_datasets: Rule(
        "DF1435",
        "A dataset that is assigned to a platform with a `lake` comes from PostgreSQL, has types that Iceberg has too, "
        "and asks for nothing that lakes do not have yet.",
    ),
    consumption.deprecated_data_is_not_used: Rule(
        "DF1421",
        "A production group contains nothing `deprecated`, and no platform starts to serve a deprecated group, unless "
        "`deprecationsAllowed` is `ALLOWED`.",
    ),
    consumption.production_uses_what_is_fit_for_it: Rule(
        "DF1422", "A production group contains no dataset that is `not_production`."
    ),
}
