"""What becomes of a request that cannot be performed: a result, whatever is wrong and however much of it."""

from __future__ import annotations

from merge_jobs.run.flags import ModelFlags, StoreFlags
from merge_jobs.run.request import LONGEST_ERROR, Request, perform


def test_the_error_of_a_model_with_any_number_of_problems_is_cut(tmp_path, caplog):
    names = "".join(f"- {{name: 'datastore number {number}'}}\n" for number in range(600))
    (tmp_path / "ecosystem.yaml").write_text(f"name: Test\nplatforms: []\ndatastores:\n{names}")
    (tmp_path / "dsg_platform_mapping.json").write_text("[]")
    result = perform(Request("YellowLive", "Store1", "run-1", ModelFlags(folder=tmp_path), StoreFlags()))
    assert result.error is not None
    assert len(result.error) < LONGEST_ERROR + 100
    assert "datastore number 0" in result.error
    assert "datastore number 599" in caplog.text, "the log has all of it"
