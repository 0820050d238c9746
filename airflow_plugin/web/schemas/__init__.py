"""What the API takes and gives, as its OpenAPI description has it, a file per subject. Times are ISO 8601, in UTC."""

from __future__ import annotations

from airflow_plugin.web.schemas.changes import (
    ActionAnswer as ActionAnswer,
)
from airflow_plugin.web.schemas.changes import (
    ActionBody as ActionBody,
)
from airflow_plugin.web.schemas.changes import (
    ChangedStream as ChangedStream,
)
from airflow_plugin.web.schemas.changes import (
    NewStream as NewStream,
)
from airflow_plugin.web.schemas.changes import (
    RequestState as RequestState,
)
from airflow_plugin.web.schemas.changes import (
    Rollback as Rollback,
)
from airflow_plugin.web.schemas.changes import (
    SeenDelete as SeenDelete,
)
from airflow_plugin.web.schemas.changes import (
    StreamsTogether as StreamsTogether,
)
from airflow_plugin.web.schemas.changes import (
    TogetherAnswer as TogetherAnswer,
)
from airflow_plugin.web.schemas.changes import (
    TogetherResult as TogetherResult,
)
from airflow_plugin.web.schemas.changes import (
    UnseenShape as UnseenShape,
)
from airflow_plugin.web.schemas.changes import (
    UnseenStreams as UnseenStreams,
)
from airflow_plugin.web.schemas.changes import (
    WantedStreams as WantedStreams,
)
from airflow_plugin.web.schemas.lists import (
    DatabaseShape as DatabaseShape,
)
from airflow_plugin.web.schemas.lists import (
    Me as Me,
)
from airflow_plugin.web.schemas.lists import (
    MovedShape as MovedShape,
)
from airflow_plugin.web.schemas.lists import (
    Overview as Overview,
)
from airflow_plugin.web.schemas.lists import (
    PlatformOverview as PlatformOverview,
)
from airflow_plugin.web.schemas.lists import (
    Platforms as Platforms,
)
from airflow_plugin.web.schemas.lists import (
    PlatformShape as PlatformShape,
)
from airflow_plugin.web.schemas.lists import (
    SnapshotShape as SnapshotShape,
)
from airflow_plugin.web.schemas.lists import (
    Sorting as Sorting,
)
from airflow_plugin.web.schemas.lists import (
    StatusList as StatusList,
)
from airflow_plugin.web.schemas.lists import (
    StreamCard as StreamCard,
)
from airflow_plugin.web.schemas.lists import (
    StreamCounts as StreamCounts,
)
from airflow_plugin.web.schemas.lists import (
    StreamFreshness as StreamFreshness,
)
from airflow_plugin.web.schemas.lists import (
    StreamList as StreamList,
)
from airflow_plugin.web.schemas.parts import (
    AnyJson as AnyJson,
)
from airflow_plugin.web.schemas.parts import (
    CheckShape as CheckShape,
)
from airflow_plugin.web.schemas.parts import (
    CountsShape as CountsShape,
)
from airflow_plugin.web.schemas.parts import (
    Error as Error,
)
from airflow_plugin.web.schemas.parts import (
    ErrorAnswer as ErrorAnswer,
)
from airflow_plugin.web.schemas.parts import (
    Fingerprint as Fingerprint,
)
from airflow_plugin.web.schemas.parts import (
    Freshness as Freshness,
)
from airflow_plugin.web.schemas.parts import (
    LastRun as LastRun,
)
from airflow_plugin.web.schemas.parts import (
    ParseShape as ParseShape,
)
from airflow_plugin.web.schemas.parts import (
    ProblemShape as ProblemShape,
)
from airflow_plugin.web.schemas.parts import (
    SeenShape as SeenShape,
)
from airflow_plugin.web.schemas.parts import (
    Status as Status,
)
from airflow_plugin.web.schemas.parts import (
    StreamKey as StreamKey,
)
from airflow_plugin.web.schemas.preview import (
    DagShape as DagShape,
)
from airflow_plugin.web.schemas.preview import (
    Preview as Preview,
)
from airflow_plugin.web.schemas.preview import (
    Problems as Problems,
)
from airflow_plugin.web.schemas.preview import (
    Task as Task,
)
from airflow_plugin.web.schemas.runs import (
    Batches as Batches,
)
from airflow_plugin.web.schemas.runs import (
    BatchShape as BatchShape,
)
from airflow_plugin.web.schemas.runs import (
    DatasetShape as DatasetShape,
)
from airflow_plugin.web.schemas.runs import (
    RunDetail as RunDetail,
)
from airflow_plugin.web.schemas.runs import (
    RunError as RunError,
)
from airflow_plugin.web.schemas.runs import (
    Runs as Runs,
)
from airflow_plugin.web.schemas.runs import (
    RunShape as RunShape,
)
from airflow_plugin.web.schemas.source import (
    Catalogue as Catalogue,
)
from airflow_plugin.web.schemas.source import (
    ModelledStoreShape as ModelledStoreShape,
)
from airflow_plugin.web.schemas.source import (
    SchemaColumn as SchemaColumn,
)
from airflow_plugin.web.schemas.source import (
    SchemaConsumer as SchemaConsumer,
)
from airflow_plugin.web.schemas.source import (
    SchemaDataset as SchemaDataset,
)
from airflow_plugin.web.schemas.source import (
    SourceDatasetShape as SourceDatasetShape,
)
from airflow_plugin.web.schemas.source import (
    SourceFindingShape as SourceFindingShape,
)
from airflow_plugin.web.schemas.source import (
    SourceLook as SourceLook,
)
from airflow_plugin.web.schemas.source import (
    StreamSchema as StreamSchema,
)
from airflow_plugin.web.schemas.stream import (
    ChangeShape as ChangeShape,
)
from airflow_plugin.web.schemas.stream import (
    Diff as Diff,
)
from airflow_plugin.web.schemas.stream import (
    History as History,
)
from airflow_plugin.web.schemas.stream import (
    HistoryVersion as HistoryVersion,
)
from airflow_plugin.web.schemas.stream import (
    Lineage as Lineage,
)
from airflow_plugin.web.schemas.stream import (
    ProgressShape as ProgressShape,
)
from airflow_plugin.web.schemas.stream import (
    RefusedDeleteShape as RefusedDeleteShape,
)
from airflow_plugin.web.schemas.stream import (
    SourceShape as SourceShape,
)
from airflow_plugin.web.schemas.stream import (
    StreamDetail as StreamDetail,
)
from airflow_plugin.web.schemas.stream import (
    ViewShape as ViewShape,
)
