"""Random models that keep the rules, with names, types and values that YAML and other readers could take for others."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

from config_schema.model import (
    AS_IT_IS,
    Classification,
    Column,
    Cursor,
    Database,
    DatabaseOverride,
    Dataset,
    DatasetGroup,
    DatasetSink,
    DatasetStrategy,
    Datastore,
    DatastoreOverride,
    Ecosystem,
    GitRepository,
    IndexedRows,
    IndexMethod,
    Milestoning,
    NullCursors,
    OnDelete,
    Platform,
    PlatformOverride,
    ProductionStatus,
    SourceKind,
    TableIndex,
    Team,
    Workspace,
)
from config_schema.model.mapping import Assignment, AssignmentStatus, DsgMapping, Model
from config_schema.model.quality import NotNull, Pattern, Range, Reference, RowCount, Severity, Unique
from config_schema.tls import Tls

ODD = ["no", "1.10", "07", "12:30", "~", "null", "a b", "ä", "\u202e", "it's", 'the "x"', "2026-01-01", "#", "- a", "{"]
KEY_TYPES = ["int", "bigint", "varchar(20)", "uuid", "numeric(20,0)", "char(3)", "timestamptz(3)"]
TYPES = [
    *KEY_TYPES,
    "text",
    "jsonb",
    "numeric(12,2)",
    "date",
    "time",
    "double precision",
    "text[]",
    "boolean",
    '"mood"',
]
TEXTS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=12)
SHORT = st.sampled_from(["a", "b-1", "no", "1.10", "X_y"])
SEVERITIES = st.sampled_from(Severity)
NUMBERS = st.one_of(st.integers(-(10**20), 10**20), st.floats(allow_nan=False, allow_infinity=False))
STATUSES = st.none() | st.sampled_from(ProductionStatus)
DEPRECATED = st.none() | st.sampled_from(["use another", "no", "1.10"])


@st.composite
def columns(draw: Any) -> tuple[Column, ...]:
    """Columns of which the first ones can be a key."""
    odd = draw(st.lists(st.sampled_from(ODD), unique=True, max_size=4))
    found = [Column("id", draw(st.sampled_from(KEY_TYPES)), False)]
    found += [Column("nr", draw(st.sampled_from(KEY_TYPES)), False, draw(st.sampled_from(Classification)))]
    for name in odd:
        of = draw(st.sampled_from(TYPES))
        found.append(Column(name, of, draw(st.booleans()), draw(st.sampled_from(Classification))))
    return (*draw(st.permutations(found)), Column("since", "timestamp", False))


def named(number: int) -> str:
    return f"check-{number}"


@st.composite
def checks(draw: Any, names: list[str], others: list[str]) -> tuple[Any, ...]:
    """Checks of each kind, in any order; `others` are datasets with the column `id`."""
    some = st.lists(st.sampled_from(names), min_size=1, max_size=2, unique=True).map(tuple)
    one = st.sampled_from(names)
    bounds = st.tuples(st.none() | st.integers(0, 10), st.none() | st.integers(10, 2**63 - 1)).filter(any_given)
    kinds = [
        st.builds(lambda severity, c: NotNull("", severity, c), SEVERITIES, some),
        st.builds(lambda severity, c: Unique("", severity, c), SEVERITIES, some),
        st.builds(lambda severity, c, low: Range("", severity, c, low), SEVERITIES, one, NUMBERS),
        st.builds(lambda severity, c: Range("", severity, c, "07", "no"), SEVERITIES, one),
        st.builds(lambda severity, c: Pattern("", severity, c, r"^\d+'[a-z]*$"), SEVERITIES, one),
        st.builds(lambda severity, b: RowCount("", severity, *b), SEVERITIES, bounds),
        st.builds(
            lambda severity, c, to: Reference("", severity, (c,), to, ("id",)), SEVERITIES, one, st.sampled_from(others)
        ),
    ]
    found = draw(st.lists(st.one_of(kinds), max_size=5))
    return tuple(replace(check, name=named(number)) for number, check in enumerate(found))


def any_given(bounds: tuple[int | None, int | None]) -> bool:
    return bounds != (None, None)


INDEXES = st.builds(
    TableIndex,
    st.just(("since",)),
    st.sampled_from([IndexMethod.BTREE, IndexMethod.BRIN]),
    st.sampled_from(IndexedRows),
)
CURSORS = st.builds(
    lambda cursor: {"strategy": DatasetStrategy.CURSOR, "cursor": cursor},
    st.builds(
        Cursor,
        st.just("since"),
        st.integers(0, 100),
        nulls=st.sampled_from(NullCursors),
        delete_sweep=st.none() | st.just(3600),
    ),
)


@st.composite
def datasets(draw: Any, store: int) -> tuple[Dataset, ...]:
    names = [f"d{store}_{number}" for number in range(draw(st.integers(1, 3)))]
    found = []
    for name in names:
        have = draw(columns())
        key = tuple(draw(st.permutations(["id", "nr"]))[: draw(st.integers(1, 2))])
        found.append(
            Dataset(
                name,
                have,
                key,
                table=draw(st.none() | st.sampled_from([name, f"the {name}", f"{name}_no"])),
                checks=draw(checks([one.name for one in have], names)),
                production_status=draw(STATUSES),
                deprecated=draw(DEPRECATED),
                on_delete=draw(st.sampled_from(OnDelete)),
                keep_closed_days=draw(st.none() | st.integers(1, 100)),
                keep_changes=draw(st.none() | st.integers(1, 100)),
                valid_from=draw(st.none() | st.just("since")),
                indexes=tuple(draw(st.lists(INDEXES, max_size=2, unique=True))),
                **draw(st.just({}) | CURSORS),
            )
        )
    return tuple(found)


PORTS = st.integers(1, 65535)
NEED_MORE_KEYS = (SourceKind.FILES, SourceKind.REST)


@st.composite
def datastores(draw: Any, number: int, teams: list[str]) -> Datastore:
    kind = draw(st.sampled_from([one for one in SourceKind if one not in NEED_MORE_KEYS]))
    tls = draw(st.none() | st.sampled_from([Tls.REQUIRE, Tls.DISABLE])) if kind is SourceKind.POSTGRESQL else None
    source = Database(
        f"pg-{number}",
        draw(SHORT),
        "reader",
        draw(PORTS | st.just(5432)),
        draw(st.sampled_from(["public", "no"])),
        kind,
        tls,
    )
    override = st.builds(
        DatabaseOverride,
        host=st.none() | st.just("elsewhere") | st.just(source.host),
        port=st.none() | PORTS | st.just(source.port),
        schema=st.none() | st.just("1.10"),
        credential=st.none() | st.just("another-reader"),
    )
    environments = draw(st.lists(st.sampled_from(["dev", "prod"]), unique=True))
    return Datastore(
        f"Store{number}",
        source,
        draw(datasets(number)),
        schedule_assets=draw(st.sampled_from([(), ("x://host/a",)])),
        types=draw(st.sampled_from([(), ("mood",)])),
        documentation=draw(st.just("") | TEXTS),
        owner=draw(st.none() | st.sampled_from(teams)),
        shared_with=tuple(draw(st.lists(st.sampled_from(teams), unique=True))),
        production_status=draw(STATUSES),
        deprecated=draw(DEPRECATED),
        environments=tuple(DatastoreOverride(name, draw(st.none() | override)) for name in environments),
    )


@st.composite
def models(draw: Any) -> Model:
    """A model with one or two datastores, two platforms, a workspace with a group for each, and a mapping."""
    teams = ["core", "crm", "no"]
    stores = tuple(draw(datastores(number, teams)) for number in range(draw(st.integers(1, 2))))
    schedules = st.sampled_from(["@hourly", "*/10 * * * *", "0 5 * * 1", None, "@continuous"])
    store = Database("merge", "merge", "merge", 5433)
    platforms = tuple(
        Platform(
            name,
            Milestoning.FORENSIC,
            store,
            GitRepository("https://git.example/model.git", "1.10"),
            f"ns-{name.lower()}",
            "image",
            schedule=draw(schedules) if name == "Past" else "@once",
            timezone=draw(st.sampled_from(["UTC", "Europe/Zurich"])),
            owner=draw(st.none() | st.sampled_from(teams)),
            environments=draw(st.sampled_from([(), (PlatformOverride("dev", schedule=AS_IT_IS, image="other"),)])),
        )
        for name in ("Past", "Idle")
    )
    groups = tuple(
        DatasetGroup(
            f"G{number}",
            tuple(DatasetSink(one.name, dataset.name) for one in stores for dataset in one.datasets),
            draw(st.sampled_from(Milestoning)),
            draw(st.none() | st.integers(10**6, 10**7)),
        )
        for number in range(2)
    )
    ecosystem = Ecosystem(
        "Eco",
        platforms,
        stores,
        (Workspace("W", groups, tuple(Classification), documentation=draw(st.just("") | TEXTS)),),
        tuple(Team(name, documentation=draw(st.just("") | TEXTS)) for name in teams),
        "core",
        ("dev", "prod"),
    )
    mappings = tuple(
        DsgMapping(group.name, "W", (Assignment("Past", draw(st.sampled_from(AssignmentStatus))),)) for group in groups
    )
    return Model(ecosystem, mappings)
