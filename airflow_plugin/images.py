"""What the name of a container image says about when it is pulled."""

from __future__ import annotations

import re

TAG = re.compile(r":([^:/]+)$")


def is_mutable(image: str) -> bool:
    """Return whether another image may stand under the name tomorrow: it has no digest, and the tag `latest` or none.

    Kubernetes pulls such an image for each pod, unless its pull policy says otherwise.
    """
    if "@" in image:
        return False
    tag = TAG.search(image)
    return tag is None or tag[1] == "latest"


def usual_pull_policy(image: str) -> str:
    """Return when Kubernetes pulls an image for which nothing else is given."""
    return "Always" if is_mutable(image) else "IfNotPresent"
