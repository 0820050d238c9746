"""What is compiled of a model for jobs: each stream's row is enough for its merge, and all rows for the views."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

import config_schema
from config_schema.job_model import (
    JobModelBroken,
    JobModels,
    RowKind,
    digest_of,
    lacks_neighbours,
    platform_model,
    stored_row,
    stream_model,
)
from config_schema.load import Model, load_model
from config_schema.model import (
    Column,
    Consistency,
    Database,
    DatasetGroup,
    DatasetSink,
    Datastore,
    Milestoning,
    Workspace,
)
from config_schema.model.mapping import Assignment, AssignmentStatus, DsgMapping, served_sinks
from config_schema.rules.check import check_model
from merge_jobs.stream import stream_of
from merge_jobs.views.desired import wanted_workspaces

EXAMPLE = load_model(Path(config_schema.__file__).parent / "examples")
ELSEWHERE = Database("pg-other", "merge", "other")
STATUS = AssignmentStatus


def several() -> Model:
    """Three platforms, of which two share a database; a datastore of single datasets that they divide among them."""
    live, forensic = EXAMPLE.ecosystem.platforms
    apart = replace(live, name="Apart", merge_store=ELSEWHERE)
    customers, addresses = EXAMPLE.ecosystem.datastores[0].datasets
    single = Datastore(
        "Single",
        EXAMPLE.ecosystem.datastores[0].source,
        tuple(replace(customers, name=name) for name in ("a", "b", "c", "d")),
        Consistency.SINGLE_DATASET,
        owner="Team",
        documentation="of people",
    )

    def group(name: str, *sinks: tuple[str, str]) -> DatasetGroup:
        return DatasetGroup(name, tuple(DatasetSink(*sink) for sink in sinks))

    space = Workspace(
        "Space",
        (
            group("Both", ("Single", "a"), ("Store1", addresses.name)),
            group("Forensic", ("Single", "b")),
            group("Apart", ("Single", "c")),
            group("Left", ("Single", "d")),
            group("Nobody", ("Single", "d")),
        ),
        may_see=EXAMPLE.ecosystem.workspaces[0].may_see,
    )

    def mapping(name: str, *assigned: tuple[str, AssignmentStatus]) -> DsgMapping:
        return DsgMapping(name, "Space", tuple(Assignment(*one, documentation="of people") for one in assigned))

    mappings = (
        mapping("Both", (live.name, STATUS.PROVISIONED), ("Apart", STATUS.DECOMMISSIONING)),
        mapping("Forensic", (forensic.name, STATUS.PROVISIONED), (live.name, STATUS.DECOMMISSIONED)),
        mapping("Apart", ("Apart", STATUS.PROVISIONED)),
        mapping("Left", (live.name, STATUS.DECOMMISSIONED)),
        mapping("Nobody"),
    )
    ecosystem = replace(
        EXAMPLE.ecosystem,
        platforms=(live, forensic, apart),
        datastores=(*EXAMPLE.ecosystem.datastores, single),
        workspaces=(space,),
    )
    return Model(ecosystem, mappings)


def streams(rows) -> dict[str, list[str]]:
    return {row.key: json.loads(row.document)["served"] for row in rows if row.kind is RowKind.STREAM}


def test_a_platform_has_its_streams_and_what_views_of_its_neighbours_need():
    models = JobModels(several())
    assert streams(models.of("YellowLive")) == {"Single#a": ["a"], "Single#b": [], "Store1": ["addresses"]}
    assert streams(models.of("YellowForensic")) == {"Single#a": [], "Single#b": ["b"], "Store1": []}
    assert streams(models.of("Apart")) == {"Single#a": ["a"], "Single#c": ["c"], "Store1": ["addresses"]}
    assert models.of("Gone") == []


@pytest.mark.parametrize("model", [EXAMPLE, several()], ids=["example", "several"])
def test_a_row_gives_the_stream_that_the_whole_model_gives(model):
    for platform in model.ecosystem.platforms:
        rows = JobModels(model).of(platform.name)
        (of_platform,) = (row for row in rows if row.kind is RowKind.PLATFORM)
        for row in (row for row in rows if row.kind is RowKind.STREAM):
            found = stream_model([of_platform, row], platform.name, "table")
            assert found is not None
            served = {sink for sink in served_sinks(model, platform.name) if sink in found.served}
            assert {sink.dataset for sink in served} == set(streams([row])[row.key])
            store, _, dataset = row.key.partition("#")
            of_row, of_whole = (
                stream_of(one, platform.name, store, dataset or None) for one in (found.ecosystem, model.ecosystem)
            )
            assert of_row.datasets == of_whole.datasets
            assert of_row.fingerprint == of_whole.fingerprint
            assert of_row.store.source == of_whole.store.source
            assert of_row.platform.merge_store == of_whole.platform.merge_store


@pytest.mark.parametrize("model", [EXAMPLE, several()], ids=["example", "several"])
def test_all_rows_give_the_views_that_the_whole_model_gives(model):
    related = {"YellowLive": ["YellowLive", "YellowForensic"], "YellowForensic": ["YellowLive", "YellowForensic"]}
    for platform in [one.name for one in model.ecosystem.platforms]:
        found = platform_model(JobModels(model).of(platform), platform, "table")
        assert found is not None
        here = related.get(platform, [platform])
        of_rows, of_whole = (wanted_workspaces(one, here) for one in (found, model))
        assert described(of_rows) == described(of_whole)


def described(workspaces):
    return {
        name: sorted(
            (str(one), one.role, one.stream, one.merge_table, one.forensic, one.masked, one.dataset, one.mark(kind))
            for one in wanted.served
            for kind in one.kinds[:1]
        )
        for name, wanted in workspaces.items()
    }


def test_what_only_people_and_dags_look_at_changes_no_row():
    model = several()
    live, *others = model.ecosystem.platforms
    of_people = replace(live, documentation="other", owner="Team", schedule="@hourly", timezone="Europe/Zurich")
    ecosystem = replace(model.ecosystem, platforms=(of_people, *others))
    before, after = (JobModels(one).of("YellowLive") for one in (model, replace(model, ecosystem=ecosystem)))
    assert before == after
    assert digest_of(before) == digest_of(reversed(after))


def test_a_row_is_read_with_the_digest_of_its_document_only():
    row = JobModels(EXAMPLE).of("YellowLive")[0]
    assert stored_row("platform", "", row.digest, row.document, "table") == row
    with pytest.raises(JobModelBroken, match="its digest is not that of its document"):
        stored_row("platform", "", row.digest, f"{row.document} ", "table")


def test_a_live_platform_s_part_may_have_options_for_versions_that_a_platform_elsewhere_keeps():
    model = several()
    live, _, apart = model.ecosystem.platforms
    versions = replace(apart, milestoning=Milestoning.FORENSIC)
    dated = tuple(
        replace(store, datasets=tuple(_dated(one) for one in store.datasets)) for store in model.ecosystem.datastores
    )
    ecosystem = replace(model.ecosystem, platforms=(live, model.ecosystem.platforms[1], versions), datastores=dated)
    model = replace(model, ecosystem=ecosystem)
    problems = check_model(ecosystem, model.mappings, lambda path: ("", path), "")
    assert [one.what for one in problems if "valid_from" in one.what] == []
    for platform in ("YellowLive", "Apart"):
        found = platform_model(JobModels(model).of(platform), platform, "table")
        assert found is not None
        assert {one.valid_from for store in found.ecosystem.datastores for one in store.datasets} == {"since"}


def _dated(dataset):
    since = Column("since", "date", nullable=False)
    return replace(dataset, columns=(*dataset.columns, since), valid_from="since", keep_closed_days=30)


def test_a_key_that_this_program_does_not_know_is_named():
    rows = [row for row in JobModels(EXAMPLE).of("YellowForensic") if row.kind is not RowKind.CONSUMERS]
    (row,) = (row for row in rows if row.kind is RowKind.STREAM)
    document = json.loads(row.document)
    document["datastore"]["datasets"][0]["valid_until"] = "then"  # as an older program sees what a newer one has synced
    newer = [replace(one, document=json.dumps(document)) if one is row else one for one in rows]
    with pytest.raises(JobModelBroken, match="unknown key 'valid_until'"):
        stream_model(newer, "YellowForensic", "table")


def test_rows_of_another_platform_are_refused():
    rows = [row for row in JobModels(EXAMPLE).of("YellowForensic") if row.kind is not RowKind.CONSUMERS]
    with pytest.raises(JobModelBroken, match="it is of another stream"):
        stream_model(rows, "YellowLive", "table")
    with pytest.raises(JobModelBroken, match="it is of other platforms"):
        platform_model(JobModels(EXAMPLE).of("YellowForensic"), "Other", "table")
    assert stream_model(rows[:1], "YellowForensic", "table") is None
    assert platform_model(rows, "YellowForensic", "table") is None


@pytest.mark.parametrize("mappings", ["x", 1, None, [1], [{}], [{"dsgName": [], "workspace": "W", "assignments": 1}]])
def test_a_mapping_that_is_none_is_one_clear_error(mappings):
    rows = JobModels(EXAMPLE).of("YellowLive")
    (row,) = (row for row in rows if row.kind is RowKind.CONSUMERS)
    document = json.dumps(json.loads(row.document) | {"mappings": mappings})
    broken = [replace(one, document=document) if one is row else one for one in rows]
    with pytest.raises(JobModelBroken):
        platform_model(broken, "YellowLive", "table")


def test_a_platform_whose_merge_store_is_a_neighbour_s_by_the_model_is_noticed():
    model = several()
    modelled = model.ecosystem.platforms[0].merge_store
    there = modelled.host, modelled.port, modelled.database
    assert not lacks_neighbours(model, "YellowLive", there)
    assert not lacks_neighbours(model, "YellowLive", ("127.0.0.1", 1, "test"))
    assert lacks_neighbours(model, "YellowLive", (ELSEWHERE.host, ELSEWHERE.port, ELSEWHERE.database))
