"""What a batch would do, in words: what `merge-job merge --dry-run` prints."""

from __future__ import annotations

from collections.abc import Iterator

from config_schema.result import MergeResult, ResultCode


def dry_run_lines(result: MergeResult) -> Iterator[str]:
    """Yield a line for the batch, and one for each dataset."""
    of = f"{result.platform} {result.stream_key}"
    if result.code is ResultCode.ERROR:
        yield f"{of}: a batch would fail: {result.error}"
        return
    if result.batches:
        yield f"{of}: batch {result.batch_id} would be committed, of {result.source_snapshot_time}; nothing was written"
    else:
        yield f"{of}: a batch would find nothing new since batch {result.batch_id}; nothing was written"
    for name, one in sorted(result.datasets.items()):
        counts = one.counts
        changed = f"{counts.inserted} inserted, {counts.updated} updated, {counts.deleted} deleted"
        yield f"  {name}: {changed}, {counts.unchanged} unchanged, {counts.total} total; {one.strategy}: {one.reason}"
        for check in one.quality:
            yield f"    check {check.check} ({check.severity}): {check.violations} rows break it"
    if result.shape_changed:
        yield "  consumers' views would follow"
