"""What is wrong with an API's answers, each with the endpoint, the page and the record; never a value."""

from __future__ import annotations

from config_schema.errors import StreamFactoryError
from merge_jobs.errors import SourceMismatch
from merge_jobs.misfit import Reason


class ApiNotReached(StreamFactoryError):
    """An API does not answer, or not with what was asked for: no connection, no login, an error, too many requests.

    Check the address, the secret and its rights, and the network; the error says whether another try can help.
    """

    code = "DF5130"

    def __init__(self, where: str, what: str, todo: str, *, retryable: bool, status: int | None = None) -> None:
        super().__init__(where, what, todo)
        self.retryable, self.status = retryable, status


class ServerRefused(StreamFactoryError):
    """An API leads to another server than the admitted one: by a redirect, an address of a page, or its name's address.

    Nobody was asked there. Write the address in the model that the API really has, and let the settings allow it. An
    address of a private network needs `private:host:port` among the hosts of the settings.
    """

    code = "DF5131"


class AnswerBroken(SourceMismatch):
    """An answer is not what the endpoint's description says: no JSON, cut, too large, without the list of records.

    Ask the API's people, or correct `endpoint` in the model.
    """

    code = "DF5132"

    def __init__(self, where: str, page: int, what: str, todo: str = "", *, retryable: bool = False) -> None:
        self.page, self.retryable = page, retryable
        super().__init__(f"{where}: page {page}", what, todo or "Correct the dataset's endpoint in the model")


class RecordRefused(SourceMismatch):
    """A record lacks a key of the model, or has a value that does not fit its column. Nothing of the batch is merged.

    Correct the column's type or path in the model, name the column in the endpoint's `optional`, or correct the data.
    """

    code = "DF5133"

    def __init__(self, where: str, page: int, record: str, column: str, reason: Reason) -> None:
        self.page, self.record, self.column, self.reason = page, record, column, reason
        super().__init__(f"{where}: page {page}, record {record}", f"column {column}: {reason.what}", reason.todo)


class ListIncomplete(StreamFactoryError):
    """The pages are not the whole list: it ended early, a page came twice, or totals do not add up.

    Nothing is merged. The list may have changed while it was read: try again. If it happens again, correct the
    endpoint's paginator in the model.
    """

    code = "DF5134"
    retryable = True

    def __init__(self, where: str, page: int, what: str) -> None:
        self.page = page
        todo = "Try again, as the list may have changed meanwhile; if it stays, correct the paginator in the model"
        super().__init__(f"{where}: page {page}", what, todo)
