"""What is wrong with a producer's files, each with the file and the place in it; never a value."""

from __future__ import annotations

from config_schema.errors import StreamFactoryError
from merge_jobs.errors import SourceMismatch
from merge_jobs.misfit import Reason

SHOWN = 5  # names of files


class FilesMissing(SourceMismatch):
    """No file matches what a dataset names: an empty list of files is never taken for an empty dataset.

    Correct the folder or the pattern in the model, or let the producer deliver.
    """

    code = "DF5120"

    def __init__(self, where: str, pattern: str, there: list[str]) -> None:
        self.pattern, self.there = pattern, tuple(there)
        shown = ", ".join(there[:SHOWN]) + (", ..." if len(there) > SHOWN else "")
        found = f"there is only {shown}" if there else "the folder is empty"
        todo = "Correct `table` or the folder in the model, or let the producer deliver"
        super().__init__(where, f"no file matches {pattern!r}: {found}", todo)


class FormatBroken(SourceMismatch):
    """A file is not in the format or the encoding that the model says, or ends before its end.

    Correct the file, or the dataset's `files` in the model.
    """

    code = "DF5121"

    def __init__(self, where: str, file: str, what: str, line: int | None = None, todo: str = "") -> None:
        self.file, self.line = file, line
        place = f"{file}, line {line}" if line else file
        super().__init__(f"{where}: {place}", what, todo or "Correct the file, or `files` of the dataset in the model")


class ValueOfFileRefused(SourceMismatch):
    """A value in a file does not fit its column in the model. The batch fails, and nothing of it is merged.

    Correct the value in the file, or the column's type in the model.
    """

    code = "DF5122"

    def __init__(self, where: str, file: str, line: int, column: str, reason: Reason) -> None:
        self.file, self.line, self.column, self.reason = file, line, column, reason
        super().__init__(f"{where}: {file}, line {line}", f"column {column}: {reason.what}", reason.todo)


class FileChanged(StreamFactoryError):
    """A file was changed, replaced or removed while it was read. The next try reads what is there then.

    Let the producer write under another name, and rename the file when it is whole.
    """

    code = "DF5123"
    retryable = True

    def __init__(self, where: str, file: str) -> None:
        self.file = file
        todo = "Let the producer write under another name, and rename the file when it is whole; then try again"
        super().__init__(f"{where}: {file}", "it was changed while it was read", todo)


class ReadFileChanged(SourceMismatch):
    """A file has changed since it was read, and the model says that each is read once.

    Let the producer write what is new under another name, or write `changed: read` in the model, and such a file is
    read again.
    """

    code = "DF5125"

    def __init__(self, where: str, file: str) -> None:
        self.file = file
        todo = "Let the producer write under another name, or write changed: read in `files` of the dataset"
        super().__init__(f"{where}: {file}", "it has changed since it was read, and each file is read once", todo)


class FolderNotRead(StreamFactoryError):
    """The folder or the bucket cannot be listed, or a file in it cannot be opened.

    Check the address, the login and its rights, and the network.
    """

    code = "DF5124"

    def __init__(self, where: str, what: str, todo: str, *, retryable: bool) -> None:
        super().__init__(where, what, todo)
        self.retryable = retryable
