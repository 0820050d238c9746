"""What the product is held against: the ratios it is to reach, and those measured of others on such a table."""

from __future__ import annotations

from dataclasses import dataclass

# x raw copy, by strategy and round: live, forensic.
TARGETS = {
    ("initial", "initial"): (1.6, 1.8),
    ("version_diff", "delta"): (1.0, 1.1),
    ("version_diff", "none"): (0.2, 0.2),
    ("key_hash_diff", "delta"): (1.4, 1.5),
    ("full", "delta"): (2.0, 2.0),
}
TARGET_ROWS = 1_000_000  # from so many rows on
CLIENT_MEMORY_MB = 60


@dataclass(frozen=True)
class Peer:
    """Another tool at 1M rows: x raw copy of first load, 2 % delta, nothing changed; on PostgreSQL 15."""

    tool: str
    mode: str
    ratios: str
    memory_mb: str
    same: str


PEERS = (
    Peer("ingestr 0.15 scd2", "forensic", "4.7 / 7.4 / 5.1", "181", "yes"),
    Peer("dbt 1.11 snapshot, all columns", "forensic", "6.3 / 9.0 / 6.3", "139", "yes"),
    Peer("dlt 1.31 scd2, fastest backend", "forensic", "8.3 / 9.4", "1067", "yes"),
    Peer("dlt 1.31 scd2, default backend", "forensic", "46 / 57", "379", "yes"),
    Peer("SQLMesh 0.236 SCD2 by column", "forensic", "9 / 22", "425", "yes"),
    Peer("row by row, four merge statements", "forensic", "97", "766", "first load only"),
    Peer("sling 1.4 full refresh", "live", "6.1 / 6.3 / 5.4", "129", "yes"),
    Peer("dlt 1.31 replace", "live", "5.8 / 7.7", "830", "yes"),
    Peer("ingestr merge, sling incremental, dlt upsert", "live", "5-11", "130-840", "no: deleted rows stay"),
)


def target(mode: str, strategy: str, round_name: str) -> float | None:
    """The ratio to reach, None where none is set."""
    ratios = TARGETS.get((strategy, round_name))
    return None if ratios is None else ratios[mode == "forensic"]
