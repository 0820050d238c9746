"""What the merge task may do to a platform's namespace: verb and resource, as a Role has them.

The operator's cases are recorded against this set, and the chart's Role is held to it: nothing missing, none to spare.
"""

from __future__ import annotations

RIGHTS = frozenset(
    {
        ("create", "pods"),
        ("get", "pods"),
        ("list", "pods"),
        ("delete", "pods"),
        ("patch", "pods"),
        ("get", "pods/log"),
        ("list", "events"),
    }
)
