"""The folder of the bundle's files, which Airflow runs: nobody else may write to it, or put another in its place."""

from __future__ import annotations

import os
import stat

import pytest

from airflow_plugin.factory.bundle import StreamBundle
from airflow_plugin.factory.errors import FolderOfAnother
from airflow_plugin.factory.shard_files.owner import make_folder

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives folders to others")
NOBODY = 65534


@pytest.fixture
def storage(tmp_path, monkeypatch):
    """Where Airflow keeps bundles, as a folder in one that everybody may write to."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    storage = shared / "airflow" / "dag_bundles"
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(storage))
    return storage


def bundle() -> StreamBundle:
    return StreamBundle(name="streams", platforms=["YellowLive"])


def test_a_new_folder_is_closed_to_others_whatever_the_umask_is(storage):
    before = os.umask(0)
    try:
        make_folder(bundle().path)
    finally:
        os.umask(before)
    for folder in (bundle().path, bundle().path.parent, storage, storage.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o775
    assert (
        stat.S_IMODE(storage.parent.parent.stat().st_mode) == 0o1777
    )  # everybody's, and nobody renames what is another's


@as_root
@pytest.mark.parametrize("depth", range(4), ids=["files", "streams", "dag_bundles", "airflow"])
def test_a_folder_that_another_user_has_made_first_is_refused_and_nothing_is_written(storage, depth):
    path = bundle().path
    path.mkdir(parents=True)
    of_another = (path, *path.parents)[depth]
    os.chown(of_another, NOBODY, NOBODY)
    with pytest.raises(FolderOfAnother, match="it belongs to another user") as caught:
        bundle().initialize()
    assert caught.value.folder == of_another
    assert "dag_bundle_storage_path" in caught.value.todo
    with pytest.raises(FolderOfAnother):
        bundle().refresh()
    assert list(path.iterdir()) == []


@as_root
def test_a_link_that_another_user_has_made_first_is_refused(storage, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    storage.parent.mkdir(parents=True)
    storage.symlink_to(tmp_path / "elsewhere")
    os.chown(storage, NOBODY, NOBODY, follow_symlinks=False)
    with pytest.raises(FolderOfAnother) as caught:
        bundle().initialize()
    assert caught.value.folder == storage
    assert list((tmp_path / "elsewhere").rglob("*.py")) == []


@as_root
def test_the_owner_of_airflow_s_home_may_own_the_folder_for_tasks_that_run_as_others(storage, monkeypatch, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setattr("airflow_plugin.factory.shard_files.owner.AIRFLOW_HOME", str(home))
    path = bundle().path
    path.mkdir(parents=True)
    for folder in (home, path, *path.parents[:3]):
        os.chown(folder, NOBODY, NOBODY)
    make_folder(path)


@as_root
def test_a_folder_of_root_s_that_everybody_may_write_to_is_refused_to_others(storage, monkeypatch):
    path = bundle().path
    path.mkdir(parents=True)
    path.chmod(0o777)
    monkeypatch.setattr(os, "geteuid", lambda: NOBODY)
    with pytest.raises(FolderOfAnother, match="everybody may write to it"):
        make_folder(path)
