"""When Kubernetes pulls an image, by its name."""

from __future__ import annotations

import pytest

from airflow_plugin.images import is_mutable, usual_pull_policy

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    "image", ["merge-job", "merge-job:latest", "registry.example:5000/merge-job", "registry.example/a/merge-job:latest"]
)
def test_an_image_of_no_tag_or_of_the_latest_is_pulled_for_each_pod(image):
    assert is_mutable(image)
    assert usual_pull_policy(image) == "Always"


@pytest.mark.parametrize(
    "image", ["merge-job:0.1.0", "registry.example:5000/merge-job:1", f"merge-job@{DIGEST}", f"m:latest@{DIGEST}"]
)
def test_an_image_of_a_version_or_digest_is_pulled_where_it_lacks(image):
    assert not is_mutable(image)
    assert usual_pull_policy(image) == "IfNotPresent"
