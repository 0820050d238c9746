"""A session on the merge store that commits nothing: all of a batch is one transaction, undone at its end."""

from __future__ import annotations

from merge_jobs.stores.postgres.merge_store import MergeStore


class DryRunStore(MergeStore):
    """A merge store in which every commit is a savepoint; the end of the session rolls all of it back."""

    _has_savepoint = False

    def commit(self) -> None:
        """Keep what was done so far, within the transaction."""
        if self._has_savepoint:  # those of one name would pile up, each a subtransaction more
            self._execute("RELEASE SAVEPOINT dry_run")
        self._execute("SAVEPOINT dry_run")
        self._has_savepoint = True

    def rollback(self) -> None:
        """Go back to where the last commit would have been."""
        if self._has_savepoint:
            self._execute("ROLLBACK TO SAVEPOINT dry_run")
        else:
            super().rollback()

    def _execute(self, statement: str) -> None:
        with self.session.cursor() as cursor:
            cursor.execute(statement)
