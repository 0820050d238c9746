"""`make docs`: write docs/reference/ anew."""

from __future__ import annotations

from tests.docs.pages import write

for name in write():
    print(f"docs/reference/{name} is written")
