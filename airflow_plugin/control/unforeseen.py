"""Errors that no code foresees, in reading one platform: they become errors of ours, so that the others are read."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from config_schema.errors import StreamFactoryError
from config_schema.printable import frames_of

log = logging.getLogger(__name__)


class PlatformUnread(StreamFactoryError):
    """A platform cannot be read because of an error that no code foresees; other platforms are not affected.

    Report it, with the line of the log that names the class of the error and its frames.
    """

    code = "DF2006"

    def __init__(self, where: str, error: Exception) -> None:
        self.kind = type(error).__name__
        super().__init__(where, f"unforeseen {self.kind}", "Report it, with the frames in the log")


@contextmanager
def unforeseen_in(where: str) -> Iterator[None]:
    """Turn an error that is none of ours into PlatformUnread. Its class and frames are logged; its text may hold data.

    For whatever reads several platforms one after the other: catch StreamFactoryError around it.
    """
    try:
        yield
    except StreamFactoryError:
        raise
    except Exception as error:
        unread = PlatformUnread(where, error)
        log.error("%s: %s in %s", unread.where, unread.what, frames_of(error))
        raise unread from None
