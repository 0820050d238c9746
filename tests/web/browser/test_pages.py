"""Each page, light and dark, is drawn from what the API says, and holds no barrier."""

from __future__ import annotations

import pytest

PAGES = {
    "overview": ("/plugin/streams", "Rows moved in the last 24 hours"),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_each_page_is_drawn_and_holds_no_barrier(looking, theme):
    seen = looking(theme)
    for name, (path, text) in PAGES.items():
        seen.go(path)
        seen.page.get_by_text(text).first.wait_for()
        seen.picture(name)
        assert seen.barriers() == [], name
    assert seen.errors == []
