"""Where a row and the model must agree: which server gets a password, which one, and for which datasets."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

import config_schema
from config_schema.load import Model, load_model
from config_schema.model import Database, Lake, RestAuth, RestAuthType, SourceKind
from config_schema.model.mapping import AssignmentStatus, served_sinks
from merge_jobs.run.source_policy import (
    BY_LINKS,
    NO_FILE,
    NOT_ABSOLUTE,
    NOT_ALLOWED,
    RowOutdated,
    SourceNotAdmitted,
    WarehouseNotAdmitted,
    admitted_source,
    check_credential,
    check_served,
    check_source_host,
    check_warehouse,
)
from merge_jobs.stream import stream_of

SOURCE = Database("pg-data", "customer_db", "customer-db")
FILE = Database("nowhere", "/data/customers.db", "none", kind=SourceKind.SQLITE)
MODEL = load_model(Path(config_schema.__file__).parent / "examples")


@pytest.mark.parametrize(
    ("source", "hosts"),
    [
        (SOURCE, ["other:5432", "pg-data:5432"]),
        (SOURCE, None),
        (replace(SOURCE, host="::1"), ["::1:5432"]),
        (FILE, []),
    ],
)
def test_a_server_that_the_settings_have_is_connected_to(source, hosts):
    check_source_host(source, hosts)


@pytest.mark.parametrize("hosts", [[], [""], ["pg-data"], ["pg-data:5433"], ["PG-DATA:5432"], ["xpg-data:5432"]])
def test_another_server_is_refused_for_good_with_the_setting_that_would_admit_it(hosts):
    with pytest.raises(SourceNotAdmitted) as caught:
        check_source_host(SOURCE, hosts)
    assert (caught.value.source, caught.value.reason) == ("pg-data:5432", NOT_ALLOWED)
    assert "allowed.source_hosts" in caught.value.todo
    assert not caught.value.retryable


def test_a_warehouse_is_written_only_in_a_folder_that_the_settings_have(tmp_path):
    (tmp_path / "lake").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "lake")
    lake = Lake((tmp_path / "link" / "of" / "mine").as_uri())
    check_warehouse(None, [])
    check_warehouse(lake, None)
    for folder in (tmp_path, tmp_path / "link", tmp_path / "link" / "of" / "mine"):
        check_warehouse(lake, ["pg-data:5432", f"file:{folder}/"])
    check_warehouse(Lake((tmp_path / "lake").as_uri()), [f"file:{tmp_path}/link/"])
    with pytest.raises(WarehouseNotAdmitted):  # by a name that nobody knows whose it is
        check_warehouse(Lake(f"file:///proc/self/root{tmp_path}/lake"), [f"file:{tmp_path}/lake/"])
    for hosts in ([], ["file:"], [f"file:{tmp_path}"], [f"file:{tmp_path}/la/"], ["pg-data:5432"]):
        with pytest.raises(WarehouseNotAdmitted):
            check_warehouse(lake, hosts)


@pytest.mark.parametrize("credential", [None, "customer-db"])
def test_the_secret_that_the_model_names_is_used(credential):
    check_credential(SOURCE, credential)


def test_another_secret_is_refused_until_row_and_model_agree():
    with pytest.raises(RowOutdated) as caught:
        check_credential(SOURCE, "payroll")
    assert (caught.value.option, caught.value.value) == ("--source-credential", "payroll")
    assert caught.value.retryable
    check_credential(FILE, "payroll")  # no password is sent
    api = Database("api", "/", "none", 443, kind=SourceKind.REST)
    check_credential(api, "payroll")  # nor here
    with pytest.raises(RowOutdated):
        check_credential(replace(api, auth=RestAuth(RestAuthType.BEARER)), "payroll")


def test_datasets_of_a_group_that_the_platform_serves_are_read():
    check_served(stream_of(MODEL.ecosystem, "YellowLive", "Store1"), served_sinks(MODEL, "YellowLive"))


def with_status(status: AssignmentStatus) -> Model:
    mappings = tuple(
        replace(mapping, assignments=tuple(replace(one, status=status) for one in mapping.assignments))
        for mapping in MODEL.mappings
    )
    return replace(MODEL, mappings=mappings)


@pytest.mark.parametrize("status", [AssignmentStatus.PROVISIONING, AssignmentStatus.DECOMMISSIONING])
def test_datasets_of_a_group_that_is_coming_or_leaving_are_read(status):
    check_served(stream_of(MODEL.ecosystem, "YellowLive", "Store1"), served_sinks(with_status(status), "YellowLive"))


def test_datasets_that_the_platform_does_not_serve_any_more_are_refused():
    model = with_status(AssignmentStatus.DECOMMISSIONED)
    with pytest.raises(RowOutdated) as caught:
        check_served(stream_of(MODEL.ecosystem, "YellowLive", "Store1"), served_sinks(model, "YellowLive"))
    assert (caught.value.option, caught.value.value) == ("--datasets", "addresses")
    assert caught.value.retryable


def test_a_dataset_that_only_another_platform_serves_is_refused():
    forensic_only = tuple(one for one in MODEL.mappings if one.dsg_name == "ForensicDSG")
    model = replace(MODEL, mappings=forensic_only)
    check_served(stream_of(MODEL.ecosystem, "YellowForensic", "Store1"), served_sinks(model, "YellowForensic"))
    stream = stream_of(MODEL.ecosystem, "YellowLive", "Store1", datasets=["customers"])
    with pytest.raises(RowOutdated):
        check_served(stream, served_sinks(model, "YellowLive"))


@pytest.fixture
def files(tmp_path):
    """A folder with databases, one that links to it, and files elsewhere."""
    data, other = tmp_path / "data", tmp_path / "other"
    (data / "sub").mkdir(parents=True)
    other.mkdir()
    for path in (data / "a.db", data / "sub" / "b.db", data / "a%20#?.db", tmp_path / "database.db", other / "c.db"):
        path.touch()
    (data / "out.db").symlink_to(other / "c.db")
    (data / "in.db").symlink_to(data / "a.db")
    (data / "way").symlink_to(other)
    (tmp_path / "link").symlink_to(data)
    os.mkfifo(data / "pipe")
    return tmp_path


def opened(files, path: str, *admitted: str) -> str:
    source = replace(FILE, database=path.replace("~", str(files)))
    hosts = [one.replace("~", str(files)) for one in admitted]
    return admitted_source(source, hosts).database.replace(str(files), "~")


@pytest.mark.parametrize(
    ("path", "admitted", "real"),
    [
        ("~/data/a.db", "file:~/data/a.db", "~/data/a.db"),
        ("~/data/a.db", "file:~/data/", "~/data/a.db"),
        ("~/data/sub/b.db", "file:~/data/", "~/data/sub/b.db"),
        ("~/data/a%20#?.db", "file:~/data/", "~/data/a%20#?.db"),
        ("~/data/in.db", "file:~/data/", "~/data/a.db"),
        ("~/data/sub/../a.db", "file:~/data/", "~/data/a.db"),
        ("~/data/a.db", "file:~/link/", "~/data/a.db"),
        ("~/link/a.db", "file:~/link/a.db", "~/data/a.db"),
        ("~/link/a.db", "file:~/link/", "~/data/a.db"),
        ("~/data/new.db", "file:~/data/", "~/data/new.db"),  # opening it says that it is not there
        ("/etc/hosts", "pg-data:5432", "/etc/hosts"),  # an older plugin, which says nothing of files
    ],
)
def test_a_file_that_the_settings_admit_is_opened_by_its_real_path(files, path, admitted, real):
    assert opened(files, path, "pg-data:5432", admitted) == real


@pytest.mark.parametrize(
    ("path", "admitted", "reason", "real"),
    [
        ("~/data/a.db", "file:", NOT_ALLOWED, None),
        ("~/data/a.db", "file:~/data", NOT_ALLOWED, None),  # a folder ends with a slash
        ("~/database.db", "file:~/data/", NOT_ALLOWED, None),
        ("~/data/A.db", "file:~/data/a.db", NOT_ALLOWED, None),
        ("~/data/../other/c.db", "file:~/data/", NOT_ALLOWED, "other/c.db"),
        ("~/data/out.db", "file:~/data/", NOT_ALLOWED, "other/c.db"),
        ("~/data/way/c.db", "file:~/data/", NOT_ALLOWED, "other/c.db"),
        ("~/data/way/../database.db", "file:~/data/", NOT_ALLOWED, None),
        ("~/link/a.db", "file:~/data/a.db", BY_LINKS, "data/a.db"),
        ("~/link/a.db", "file:~/data/", BY_LINKS, "data/a.db"),
        ("/proc/self/root~/data/a.db", "file:~/data/a.db", BY_LINKS, "data/a.db"),
        ("/proc/self/root~/data/a.db", "file:~/data/", BY_LINKS, "data/a.db"),
        ("data/a.db", "file:~/data/", NOT_ABSOLUTE, None),
        ("", "file:/", NOT_ABSOLUTE, None),
        (":memory:", "file:/", NOT_ABSOLUTE, None),
        ("file:/etc/hosts", "file:/", NOT_ABSOLUTE, None),
        ("~/data/pipe", "file:~/data/", NO_FILE, None),
        ("~/data/", "file:~/data/", NO_FILE, None),
        ("/dev/zero", "file:/dev/", NO_FILE, None),
        ("/a\0b", "file:/", "cannot be read (ValueError)", None),
    ],
)
def test_another_file_is_refused_for_good(files, path, admitted, reason, real):
    with pytest.raises(SourceNotAdmitted) as caught:
        opened(files, path, admitted)
    assert caught.value.reason == reason
    assert real is None or caught.value.real.endswith(real)
    assert not caught.value.retryable


def test_without_a_list_of_sources_every_file_is_opened(files, monkeypatch):
    monkeypatch.chdir(files)
    assert admitted_source(replace(FILE, database="data/in.db"), None).database == f"{files}/data/a.db"
    assert admitted_source(SOURCE, ["file:"]) == SOURCE
