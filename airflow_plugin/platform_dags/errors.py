"""Why an operation is refused that a run's conf asks for."""

from __future__ import annotations

from config_schema.errors import StreamFactoryError


class StreamMissing(StreamFactoryError):
    """An operation is asked for of a stream that has no row.

    Give the stream_key of a row: dagfactory streams list shows them.
    """

    code = "DF2401"

    def __init__(self, table: str, stream_key: str) -> None:
        self.stream_key = stream_key
        super().__init__(table, f"there is no stream {stream_key!r}", "Give the stream_key of a row")


class StreamNotActive(StreamFactoryError):
    """A run is asked for of a stream that is paused or retired.

    Set it to active first: dagfactory streams resume.
    """

    code = "DF2402"

    def __init__(self, table: str, stream_key: str, status: str) -> None:
        self.stream_key, self.status = stream_key, status
        super().__init__(table, f"stream {stream_key!r} is {status}, so it does not run", "Set it to active first")
