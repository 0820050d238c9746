"""What it costs to find the new versions of a table by its map, and what it costs to read all rows instead.

In seconds, as measured on a quiet machine with source and merge store on one server. Only the ratio matters, and it is
much the same elsewhere: both ways use both servers.
"""

from __future__ import annotations

from dataclasses import dataclass

# Of a version in a block that has changed: it is read with its key, held against the map, and once more for its key.
VERSION = 3.6e-6
# Of a new version, beside that: its row is fetched by its address, and its key is looked up in the merge table.
NEW, NEW_BYTE = 10e-6, 20e-9
# Of any row that is read in full: copied, mapped, and compared with that of the merge table.
ROW, ROW_BYTE = 2.8e-6, 6e-9
LEAST_SAVING = 0.1  # seconds: of small tables nobody sees the difference


@dataclass(frozen=True)
class Cost:
    """The costs of a batch for a table with so many rows and bytes, of which blocks have changed.

    These have so many versions, of which so many are new.
    """

    rows: int
    size: int
    versions: int
    new: int

    @property
    def by_versions(self) -> float:
        """The seconds to find and read the new versions."""
        return self.versions * VERSION + self.new * (NEW + self._width * NEW_BYTE)

    @property
    def in_full(self) -> float:
        """The seconds to read all rows."""
        return self.rows * (ROW + self._width * ROW_BYTE)

    @property
    def _width(self) -> float:
        return self.size / max(self.rows, 1)
