"""`make docs`: write docs/reference/ and the tree of commands in README.md again."""

from __future__ import annotations

from tests.docs.pages import write
from tests.docs.readme import README, with_tree

for name in write():
    print(f"docs/reference/{name} is written")
text = README.read_text("utf-8")
if with_tree(text) != text:
    README.write_text(with_tree(text), "utf-8")
    print("README.md is written")
