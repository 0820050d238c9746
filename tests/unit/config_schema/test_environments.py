"""One model for several environments: each has its own values, and all are checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import config_schema
from config_schema import names
from config_schema.chosen_environment import EnvironmentNotChosen, settle_by
from config_schema.errors import ProblemsFound, UnknownName
from config_schema.job_model import JobModels, RowKind, environment_of, platform_model, stream_model
from config_schema.load import load_model
from config_schema.load.folder import load_placed
from config_schema.model import Ecosystem
from config_schema.model.plain_data import plain, structured
from tests.unit.config_schema.test_ownership import edit

EXAMPLE = Path(config_schema.__file__).parent / "examples" / "environments"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    shutil.copytree(EXAMPLE, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def choose(monkeypatch):
    """A function that chooses an environment."""
    return lambda name: monkeypatch.setenv(names.ENVIRONMENT_VARIABLE, name)


@pytest.fixture(autouse=True)
def nothing_chosen(monkeypatch):
    monkeypatch.delenv(names.ENVIRONMENT_VARIABLE, raising=False)
    monkeypatch.setattr("config_schema.chosen_environment._by_settings", [])


def problems(folder: Path) -> list[str]:
    with pytest.raises(ProblemsFound) as caught:
        load_placed(folder)
    return [str(problem) for problem in caught.value.problems]


def test_an_environment_has_its_own_values_and_otherwise_those_of_the_parts(choose):
    choose("dev")
    there = load_model(EXAMPLE)
    choose("production")
    here = load_model(EXAMPLE)
    platform, store = there.ecosystem.platforms[0], there.ecosystem.datastores[0]
    assert (there.environment, platform.schedule, platform.model.branch) == ("dev", None, "dev")
    assert (platform.merge_store.host, platform.merge_store.database) == ("pg-dev", "warehouse")
    assert (store.source.host, store.source.database, store.source.tls) == (
        "pg-dev",
        "shop_sample",
        here.ecosystem.datastores[0].source.tls,
    )
    assert store.datasets == here.ecosystem.datastores[0].datasets
    assert here.ecosystem.platforms == load_placed(EXAMPLE)[0].ecosystem.platforms


def test_a_model_with_environments_is_not_taken_as_it_stands():
    with pytest.raises(EnvironmentNotChosen) as refused:
        load_model(EXAMPLE)
    assert refused.value.known == ("dev", "staging", "production")


def test_the_settings_of_the_installation_say_which_it_is_unless_the_variable_does(choose):
    settle_by(lambda: "staging")
    assert load_model(EXAMPLE).environment == "staging"
    choose("dev")
    assert load_model(EXAMPLE).environment == "dev"


@pytest.mark.parametrize("folder_", [EXAMPLE, EXAMPLE.parent], ids=["with environments", "without"])
def test_an_environment_that_the_model_does_not_have_is_refused(choose, folder_):
    choose("stagin")
    with pytest.raises(UnknownName) as refused:
        load_model(folder_)
    assert refused.value.name == "stagin"
    assert ("Did you mean 'staging'?" in refused.value.todo) == (folder_ == EXAMPLE)


def test_a_key_that_cannot_differ_is_refused_with_its_line(model):
    edit(model / "ecosystem.yaml", "schedule: null ", "milestonin: live ")
    (said,) = problems(model)
    assert "ecosystem.yaml:16: platforms[0].environments[0].milestonin: unknown key" in said


def test_a_value_that_breaks_a_rule_in_one_environment_is_found_there(model, choose):
    edit(model / "ecosystem.yaml", '"*/10 * * * *"', '"0 0 30 2 *"')
    (said,) = problems(model)
    assert said.startswith("ecosystem.yaml:21: platforms[0].environments[1].schedule: ")
    choose("production")
    assert load_model(model).environment == "production"
    choose("staging")
    with pytest.raises(ProblemsFound):
        load_model(model)


def test_what_is_wrong_in_all_environments_is_said_once(model):
    edit(model / "ecosystem.yaml", "primary_key: [id]", "primary_key: [nr]")
    assert len(problems(model)) == 1


def test_values_of_two_environments_do_not_meet(model):
    """Each is checked alone: the same secret may stand for two things, one in each."""
    edit(model / "ecosystem.yaml", "credential: shop-reader-dev", "credential: shop-reader")
    load_placed(model)


def test_jobs_get_the_values_of_the_environment_and_no_others(choose):
    choose("staging")
    rows = JobModels(load_model(EXAMPLE)).of("Warehouse")
    by_kind = {row.kind: row for row in rows}
    assert environment_of(by_kind[RowKind.PLATFORM].document) == "staging"
    assert "-dev" not in "".join(row.document for row in rows)
    assert not any(
        "environments" in json.dumps(json.loads(row.document), sort_keys=True) for row in rows
    )  # older images refuse a key that they do not know
    stream = stream_model([by_kind[RowKind.PLATFORM], by_kind[RowKind.STREAM]], "Warehouse", "t")
    assert stream is not None
    assert stream.ecosystem.datastores[0].source.host == "pg-shop-copy"
    assert platform_model(rows, "Warehouse", "t") is not None


def test_rows_differ_between_environments_and_without_any_are_as_before(choose):
    found = []
    for name in ("staging", "production"):
        choose(name)
        found.append({row.digest for row in JobModels(load_model(EXAMPLE)).of("Warehouse")})
    assert found[0].isdisjoint(found[1])
    model = load_model_without_environments()
    (platform,) = (row for row in JobModels(model).of("YellowLive") if row.kind is RowKind.PLATFORM)
    assert environment_of(platform.document) is None
    assert set(json.loads(platform.document)) == {"name", "platform"}


def load_model_without_environments():
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(names.ENVIRONMENT_VARIABLE, raising=False)
        return load_model(EXAMPLE.parent)


def test_plain_data_of_an_override_comes_back_the_same():
    model = load_placed(EXAMPLE)[0].ecosystem
    assert structured(json.loads(json.dumps(plain(model))), Ecosystem) == model
