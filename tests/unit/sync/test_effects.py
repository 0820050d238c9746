"""What a change of the model does beside rows: tables, views, masks, checks and rights, said before it is done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from airflow_plugin.sync.consumption import consumption, merge_table
from airflow_plugin.sync.effects import model_effects
from config_schema.load import load_model
from config_schema.model import (
    Classification,
    Column,
    Cursor,
    DatasetStrategy,
    Lake,
    Milestoning,
    OnDelete,
    TableIndex,
    ViewNames,
)
from config_schema.model.mapping import Model
from config_schema.model.quality import NotNull, Severity
from tests.unit.cli.test_bootstrap import EXAMPLES

CUSTOMERS = "yellowlive_Store1_customers_merge"
VIEW = "yellowlive_Consumer1_LiveDSG_Store1_customers_view_live"
LOADED = (CUSTOMERS, "yellowlive_Store1_addresses_merge")


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model(EXAMPLES)


def with_customers(model: Model, **changes) -> Model:
    (store,) = model.ecosystem.datastores
    datasets = tuple(replace(one, **changes) if one.name == "customers" else one for one in store.datasets)
    return replace(model, ecosystem=replace(model.ecosystem, datastores=(replace(store, datasets=datasets),)))


def columns(model: Model) -> tuple[Column, ...]:
    return next(one for one in model.ecosystem.datastores[0].datasets if one.name == "customers").columns


def said(before: Model | None, after: Model, loaded=LOADED, platform="YellowLive") -> list[str]:
    found = model_effects(before, after, platform, loaded)
    return [f"{one.sign.value} {one.kind.value} {one.name}: {one.what}" for one in found]


def test_the_same_model_does_nothing(model):
    assert said(model, model) == []


def test_without_a_model_before_all_is_new_and_a_forensic_platform_has_three_views_of_each(model):
    live, forensic = said(None, model, ()), said(None, model, (), "YellowForensic")
    assert f"+ table {CUSTOMERS}: made by the first load, {len(columns(model))} columns" in live
    assert f"+ view {VIEW}: made once its table has a batch" in live
    (right,) = [one for one in live if " right " in one]
    assert right.endswith(": may read 2 views, yellowlive_Consumer1_LiveDSG_Store1_addresses_view_live for one")
    views = [one for one in forensic if one.startswith("+ view") and "customers" in one]
    assert [one.partition(":")[0].rpartition("_")[2] for one in views] == ["live", "full", "asof"]


def test_columns_that_come_go_and_widen_are_said_of_the_table_and_of_its_view(model):
    old = columns(model)
    wider = replace(old[1], type="text")
    after = with_customers(model, columns=(old[0], wider, *old[2:-1], Column("note", "varchar(10)")))
    assert said(model, after) == [
        f"~ table {CUSTOMERS}: column note character varying(10) is new: the next batch reads all rows",
        f"~ table {CUSTOMERS}: column {wider.name} becomes text, was character varying(100)",
        f"~ table {CUSTOMERS}: column {old[-1].name} has left: it stays, NULL in rows written from now on",
        f"~ view {VIEW}: column note is new; column {old[-1].name} is NULL from now on",
    ]


def test_another_spelling_of_a_type_and_a_type_of_a_table_never_loaded_are_no_change(model):
    old = columns(model)
    spelled = with_customers(model, columns=(old[0], replace(old[1], type="character varying(100)"), *old[2:]))
    assert said(model, spelled) == []
    narrower = with_customers(model, columns=(old[0], replace(old[1], type="varchar(5)"), *old[2:]))
    assert said(model, narrower, ()) == []
    assert said(model, with_customers(model, columns=old[:-1]), ()) == []  # nor has it a view yet
    assert len(said(model, narrower)) == 1


def test_what_a_dataset_keeps_is_said_of_its_table_and_view(model):
    kept = with_customers(model, on_delete=OnDelete.KEEP, keep_closed_days=30)
    stay = "rows that the source loses stay, with the batch in ds_deleted_in: the next batch reads all rows"
    assert said(model, kept) == [
        f"~ table {CUSTOMERS}: {stay}",
        f"~ view {VIEW}: column ds_deleted_in is new",
    ]
    gone = "rows that were kept though the source had lost them go with the next batch"
    assert said(kept, model)[0] == f"~ table {CUSTOMERS}: {gone}"
    forensic = CUSTOMERS.replace("live", "forensic")
    only = with_customers(model, keep_closed_days=30)
    days = "versions that were closed more than 30 days ago are deleted from the next batch on"
    assert said(model, only, (forensic,), "YellowForensic") == [f"~ table {forensic}: {days}"]
    ever = "closed versions are kept for ever from now on"
    assert said(only, model, (forensic,), "YellowForensic") == [f"~ table {forensic}: {ever}"]
    assert said(model, only) == []
    dated = with_customers(model, valid_from="changed_at")
    times = (
        "the next batch reads all rows, and versions are valid from the time in changed_at, which it gives all of them"
    )
    assert said(model, dated, (forensic,), "YellowForensic") == [f"~ table {forensic}: {times}"]
    batches = "the next batch reads all rows, and versions are valid from the time of their batch"
    assert said(dated, model, (forensic,), "YellowForensic") == [f"~ table {forensic}: {batches}"]
    assert said(model, dated) == []
    rows = "the next batch reads all rows, later ones only those from the last value on"
    cursor = Cursor("changed_at", delete_sweep=3600)
    swept = with_customers(model, strategy=DatasetStrategy.CURSOR, cursor=cursor)
    how = "what the source has lost goes with a sweep of all keys, once in 3600 s"
    assert said(model, swept) == [f"~ table {CUSTOMERS}: changes are found by the cursor changed_at: {rows}; {how}"]
    unswept = with_customers(swept, cursor=replace(cursor, delete_sweep=None))
    stay = "rows that the source has lost stay until a batch reads all rows"
    assert said(swept, unswept) == [f"~ table {CUSTOMERS}: changes are found by the cursor changed_at; {stay}"]
    marked = with_customers(swept, cursor=replace(cursor, delete_sweep=None, deleted_at="gone"))
    assert said(unswept, marked)[0].endswith(f"{rows}; {stay}, unless it sets gone")
    again = "changes are no longer found by a cursor: the next batch reads all rows"
    assert said(swept, model) == [f"~ table {CUSTOMERS}: {again}"]
    kept = with_customers(model, keep_changes=20)
    what = "batches keep what they change, and up to 20 keys of each kind with their values"
    assert said(model, kept) == [f"~ table {CUSTOMERS}: {what}"]
    assert said(kept, model) == [f"~ table {CUSTOMERS}: batches no longer keep what they change"]
    assert said(model, kept, (forensic,), "YellowForensic") == []


def test_an_index_for_readers_is_named_with_its_columns(model):
    indexed = with_customers(model, indexes=(TableIndex(("email", "dob")),))
    built = "gets an index on (email, dob), which its next run builds while it is read"
    assert said(model, indexed) == [f"~ table {CUSTOMERS}: {built}"]
    assert said(indexed, model) == [f"~ table {CUSTOMERS}: loses the index on (email, dob)"]


def test_other_names_of_views_are_renames_and_take_no_right(model):
    (workspace,) = model.ecosystem.workspaces
    group = replace(workspace.dataset_groups[0], sinks=workspace.dataset_groups[0].sinks[:1])
    long = replace(model, ecosystem=replace(model.ecosystem, workspaces=(replace(workspace, dataset_groups=(group,)),)))
    long = replace(long, mappings=tuple(one for one in model.mappings if one.dsg_name == group.name))
    (workspace,) = long.ecosystem.workspaces
    named = replace(workspace, view_names=ViewNames.SHORT)
    short = replace(long, ecosystem=replace(long.ecosystem, workspaces=(named,)))
    stay = "rights and what is built on it stay, queries by the former name fail"
    assert said(long, short) == [f"~ view customers: renamed, was {VIEW}: {stay}"]
    assert said(short, long) == [f"~ view {VIEW}: renamed, was customers: {stay}"]
    assert said(long, short, ()) == [], "there is no view yet"


def test_a_classification_and_what_a_workspace_may_see_are_masks(model):
    (workspace,) = model.ecosystem.workspaces
    masking = replace(workspace, masks=True, may_see=(Classification.INTERNAL,))
    before = replace(model, ecosystem=replace(model.ecosystem, workspaces=(masking,)))
    old = columns(model)
    after = with_customers(before, columns=(*old[:-1], replace(old[-1], classification=Classification.PII)))
    assert said(before, after) == [f"+ mask {VIEW} {old[-1].name}: NULL for Consumer1"]
    assert said(after, before) == [f"- mask {VIEW} {old[-1].name}: Consumer1 sees its values"]


def test_checks_come_change_and_go(model):
    check = NotNull("named", Severity.WARN, ("id",))
    one, other = (
        with_customers(model, checks=(check,)),
        with_customers(model, checks=(replace(check, severity=Severity.FAIL, columns=("id", "firstName")),)),
    )
    none = with_customers(model, checks=())
    assert said(none, one) == ["+ check Store1.customers named: not_null, warn"]
    assert said(one, other) == ["~ check Store1.customers named: severity: warn -> fail; columns: id -> id, firstName"]
    assert said(one, none) == ["- check Store1.customers named: no longer checked"]


def test_a_group_that_is_served_no_more_takes_views_and_rights_with_it_and_leaves_the_table(model):
    after = replace(model, mappings=tuple(one for one in model.mappings if one.dsg_name != "LiveDSG"))
    found = said(model, after)
    assert f"- table {CUSTOMERS}: no dataset group of this platform uses it any more: its rows stay, and no batch" in (
        "\n".join(found)
    )
    assert f"- view {VIEW}: dropped, unless something of others is built on it" in found
    assert [one for one in found if one.startswith("- right")]
    back = said(after, model)
    assert any(one.startswith(f"+ table {CUSTOMERS}: gets the rows of this stream again") for one in back)


def test_another_merge_store_or_milestoning_is_said_once_for_all(model):
    platforms = {one.name: one for one in model.ecosystem.platforms}
    live = platforms["YellowLive"]
    moved = replace(live, merge_store=replace(live.merge_store, host="pg-2"), milestoning=Milestoning.FORENSIC)
    after = replace(
        model, ecosystem=replace(model.ecosystem, platforms=tuple({**platforms, "YellowLive": moved}.values()))
    )
    found = said(model, after)
    assert "~ table pg-2:5432/datasurface_merge.public: was pg-data:5432/datasurface_merge.public" in "\n".join(found)
    assert "live becomes forensic" in "\n".join(found)


def test_names_of_tables_are_those_that_jobs_make(model):
    for platform in model.ecosystem.platforms:
        for key, (store, dataset) in consumption(model, platform.name).tables.items():
            assert key == f"{store.name}.{dataset.name}"
            assert merge_table(platform.name, store, dataset).endswith(f"_Store1_{dataset.name}_merge")


def with_lake(model: Model) -> Model:
    platforms = tuple(replace(one, lake=Lake("file:///mnt/lake")) for one in model.ecosystem.platforms)
    return replace(model, ecosystem=replace(model.ecosystem, platforms=platforms))


def test_rows_in_a_lake_have_no_views_and_do_not_follow_a_changed_model(model):
    assert not any(" view " in one or " right " in one for one in said(None, with_lake(model)))
    (moved,) = [one for one in said(model, with_lake(model)) if " table " in one]
    assert moved == "~ table YellowLive: no lake becomes file:///mnt/lake: no merge table can follow, and batches fail"
    changed = with_customers(with_lake(model), columns=(*columns(model), Column("age", "int")))
    assert (
        f"~ table {CUSTOMERS}: its rows are in a lake, whose tables do not follow a changed model: its batches fail"
        in (said(with_lake(model), changed))
    )
