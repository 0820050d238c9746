"""Reads a page of a list of S3's objects: what it does not ask for is not kept, however much of it there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from xml.etree import ElementTree

LONGEST_KEY = 1024  # bytes, by S3's own rules
OF_OBJECT = frozenset(["Key", "LastModified", "Size", "ETag"])
OF_PAGE = frozenset(["IsTruncated", "NextContinuationToken"])
LONGEST_TEXT = 8 * LONGEST_KEY  # characters
DEEPEST = 16  # elements in each other; the parser keeps all that are open
PIECE = 1 << 16  # characters


@dataclass(frozen=True)
class ListedObject:
    """An object of a list, by its key; `modified` in whole seconds since 1970, `tag` of its version where one is."""

    key: str
    size: int
    modified: float
    tag: str = ""


@dataclass(frozen=True)
class ListPage:
    """A page of a list; `token` asks for the next one, and is None on the last."""

    objects: Sequence[ListedObject]
    token: str | None


def page_of(body: bytes) -> ListPage:
    """Return what a page says. Raises ValueError for what no page of S3 is."""
    # As a text it has no other encoding, in which a definition could hide.
    text = body.decode()
    if "<!" in text:
        raise ValueError("a list of S3 has no definitions")
    found = _Page()
    parser = ElementTree.XMLParser(target=found)
    try:
        for start in range(0, len(text), PIECE):  # what is refused in one is known before the next is read
            parser.feed(text[start : start + PIECE])
        parser.close()
    except ElementTree.ParseError as error:
        raise ValueError("it is no XML") from error
    return found.page()


@dataclass
class _Page:
    """What the parser calls. Elements are known by their names and by how deep they are, in any namespace."""

    objects: list[ListedObject] = field(default_factory=list)
    of_page: dict[str, str] = field(default_factory=dict)
    of_object: dict[str, str] = field(default_factory=dict)
    path: tuple[str, ...] = ()  # of the element, below the outermost
    depth: int = 0
    texts: list[str] | None = None  # of an element that is asked for
    length: int = 0

    def start(self, tag: str, _: object) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise ValueError("it is nested too deeply")
        if self.depth == 1 and tag.rpartition("}")[2] != "ListBucketResult":
            raise ValueError("it is no list of S3's objects")
        if not 2 <= self.depth <= 3:
            return
        name = tag.rpartition("}")[2]
        self.path = (name,) if self.depth == 2 else (self.path[0], name)
        if self.path == ("Contents",):
            self.of_object = {}
        is_asked = name in OF_PAGE if self.depth == 2 else self.path[0] == "Contents" and name in OF_OBJECT
        self.texts, self.length = ([] if is_asked else None), 0

    def data(self, text: str) -> None:
        if self.texts is None:
            return
        self.length += len(text)
        if self.length > LONGEST_TEXT:
            raise ValueError("a text of it is too long")
        self.texts.append(text)

    def end(self, _: str) -> None:
        if self.texts is not None and self.depth == len(self.path) + 1:
            found = self.of_page if self.depth == 2 else self.of_object
            found[self.path[-1]] = "".join(self.texts)
            self.texts = None
        if self.depth == 2 and self.path[0] == "Contents":
            self.objects.append(_object_of(self.of_object))
        self.depth -= 1
        self.path = self.path[: max(0, self.depth - 1)]

    def close(self) -> None:
        """Do nothing: the parser wants it."""

    def page(self) -> ListPage:
        """Return what was read. Raises ValueError if it does not say clearly whether another page follows."""
        said, token = (
            self.of_page.get("IsTruncated", "false").strip().lower(),
            self.of_page.get("NextContinuationToken"),
        )
        if said not in ("true", "false") or (said == "true") != bool(token):
            raise ValueError("whether the list goes on is not clear")
        return ListPage(self.objects, token or None)


def _object_of(texts: dict[str, str]) -> ListedObject:
    """Return an object of a list. Raises ValueError, OverflowError and OSError for values that none has."""
    key, size, tag = texts.get("Key", ""), int(texts.get("Size", "")), texts.get("ETag", "")
    if size < 0 or len(key.encode()) > LONGEST_KEY or len(tag) > LONGEST_KEY:
        raise ValueError("no object is so")
    changed = float(int(datetime.fromisoformat(texts.get("LastModified", "")).timestamp()))
    return ListedObject(key, size, changed, tag)
