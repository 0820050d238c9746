"""What a stream reads and gives: the catalogue, looks at its source, and the columns of its datasets."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class ModelledStoreShape(BaseModel):
    """A datastore as far as a platform ingests it; `credential` is null for one that needs no login."""

    name: str
    single_dataset: bool
    datasets: list[str]
    credential: str | None


class Catalogue(BaseModel):
    """The datastores that streams of a platform can be made of; null: nobody knows. `more`: there are others too."""

    stores: list[ModelledStoreShape] | None
    more: bool


class SourceFindingShape(BaseModel):
    """What was found at a source: what stops a batch (`error`), what may stop one (`warning`), or a `note`.

    `dataset` is empty for what concerns all of the source.
    """

    level: Literal["error", "warning", "note"]
    dataset: str
    what: str
    todo: str
    code: str


class SourceDatasetShape(BaseModel):
    """A dataset that can be read: the strategy of its next batches, and why not a cheaper one.

    `columns` are names and types of the source's columns, as far as there was room for them.
    """

    name: str
    table: str
    strategy: str
    why: str
    columns: list[tuple[str, str]]


class SourceLook(BaseModel):
    """The last look at a stream's source; `left_out` is how many findings more there were than are kept."""

    checked_at: str | None
    source: str | None
    findings: list[SourceFindingShape]
    datasets: list[SourceDatasetShape]
    left_out: int


class SchemaColumn(BaseModel):
    """A column: its type by the model, in the source, and in the merge table; null: it is not there, or unknown."""

    name: str
    type: str | None
    is_key: bool
    nullable: bool | None
    classification: str | None
    source_type: str | None
    merge_type: str | None


class SchemaConsumer(BaseModel):
    """A dataset group that gets a dataset; `masked` are the columns that are NULL in its views.

    `view` in the workspace's schema `in_schema` has its current rows, once there is a batch and views are reconciled.
    """

    workspace: str
    group: str
    in_schema: str
    view: str
    masked: list[str]


class SchemaDataset(BaseModel):
    """A dataset of a stream; `consumers` is null where nobody knows them."""

    name: str
    source_table: str | None
    merge_table: str
    columns: list[SchemaColumn]
    consumers: list[SchemaConsumer] | None


class StreamSchema(BaseModel):
    """The datasets of a stream; `is_modelled`: the synced model is known. `left_out` had no room in the answer."""

    is_modelled: bool
    source_seen_at: str | None
    datasets: list[SchemaDataset]
    left_out: int
