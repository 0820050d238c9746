"""What an assignment's status does, for streams and for views."""

from __future__ import annotations

import pytest

from config_schema.model.mapping import Assignment, AssignmentStatus, DsgMapping


@pytest.mark.parametrize(
    ("status", "ingests", "serves"),
    [
        ("PROVISIONING", True, False),
        ("PROVISIONED", True, True),
        ("DECOMMISSIONING", True, True),
        ("DECOMMISSIONED", False, False),
    ],
)
def test_streams_run_before_views_are_there_and_both_until_the_end(status, ingests, serves):
    mapping = DsgMapping("G", "W", (Assignment("P", AssignmentStatus[status]),))
    assert (mapping.ingesting, mapping.serving) == (("P",) if ingests else (), ("P",) if serves else ())
