"""Consumers beside the producer and the merge store: a model with workspaces, its views, and people who read them."""

from __future__ import annotations

import itertools
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg2
import pytest

from config_schema import names
from config_schema.load import Model
from config_schema.model import Classification, Database, DatasetGroup, DatasetSink, Milestoning, ViewNames, Workspace
from config_schema.model.mapping import Assignment, AssignmentStatus, DsgMapping
from merge_jobs.views.reconcile import Reconciled, reconcile
from tests.database.conftest import PLATFORMS, STORE, Merging

LIVE, FORENSIC = Milestoning.LIVE, Milestoning.FORENSIC
EVERYTHING = tuple(Classification)

_numbers = itertools.count()


@dataclass
class Consuming:
    """A `Merging` with one workspace or several, whose dataset groups are served by both platforms."""

    merging: Merging
    ecosystem: str
    groups: dict[str, dict[str, tuple[str, ...]]]  # workspace -> group -> datasets
    may_see: dict[str, tuple[Classification, ...]] = field(default_factory=dict)
    pii: set[str] = field(default_factory=set)
    latency: int | None = None
    status: AssignmentStatus = AssignmentStatus.PROVISIONED
    elsewhere: Any = None  # the consumers' database, if it is not the merge store's
    view_names: ViewNames = ViewNames.LONG
    served_on: dict[str, Milestoning] = field(default_factory=dict)  # groups that only one of the platforms serves

    @property
    def model(self) -> Model:
        spaces = []
        for name, groups in self.groups.items():
            of = tuple(
                DatasetGroup(group, tuple(DatasetSink(STORE, dataset) for dataset in datasets), LIVE, self.latency)
                for group, datasets in groups.items()
            )
            reported = {"may_see": self.may_see[name]} if name in self.may_see else {}
            spaces.append(Workspace(name, of, view_names=self.view_names, **reported))
        base = self.merging.ecosystem
        if self.elsewhere is not None:
            of = self.elsewhere
            there = Database(of.server.host, of.name, "consumer", of.server.port)
            base = replace(base, platforms=tuple(replace(one, consumer_db=there) for one in base.platforms))
        stores = tuple(
            replace(store, datasets=tuple(self._classified(dataset) for dataset in store.datasets))
            for store in base.datastores
        )
        mappings = tuple(
            DsgMapping(group.name, space.name, tuple(Assignment(one, self.status) for one in self._serving(group.name)))
            for space in spaces
            for group in space.dataset_groups
        )
        return Model(replace(base, name=self.ecosystem, workspaces=tuple(spaces), datastores=stores), mappings)

    def _serving(self, group: str) -> list[str]:
        return [PLATFORMS[kind] for kind in Milestoning if self.served_on.get(group, kind) is kind]

    def _classified(self, dataset: Any) -> Any:
        columns = (
            replace(one, classification=Classification.PII) if one.name in self.pii else one for one in dataset.columns
        )
        return replace(dataset, columns=tuple(columns))

    @property
    def home(self) -> Any:
        """The database with the views."""
        return self.elsewhere or self.merging.target

    @property
    def secrets(self) -> dict[str, str]:
        theirs = {"CONSUMER_USERNAME": self.home.user, "CONSUMER_PASSWORD": self.home.password}
        return {**self.merging.secrets, **theirs}

    def reconcile(self, *platforms: str, **options: bool) -> list[Reconciled]:
        with pytest.MonkeyPatch.context() as patch:
            for variable, value in self.secrets.items():
                patch.setenv(variable, value)
            return list(reconcile(self.model, lambda one: one.merge_store, platforms, **options))

    def bring(self, *platforms: str) -> list[str]:
        """Reconcile, hold that a second run changes nothing and that plan knew it; gives back what was changed."""
        planned = [change.what for one in self.reconcile(*platforms, dry_run=True) for change in one.plan.changes]
        found = self.reconcile(*platforms)
        assert [str(problem) for one in found for problem in one.problems] == []
        assert [change.what for one in found for change in one.plan.changes] == planned
        assert [change.what for one in self.reconcile(*platforms) for change in one.plan.changes] == []
        return planned

    def problems(self) -> list[str]:
        return [str(problem) for one in self.reconcile() for problem in one.problems]

    def name(self, kind: Milestoning, what: str, workspace: str = "Desk", group: str = "G", dataset: str = "t") -> str:
        platform = names.platform_name(PLATFORMS[kind])
        view = names.short_view(dataset, what)
        if self.view_names is ViewNames.LONG:
            view = names.consumer_view(platform, workspace, group, STORE, dataset, what)
        return f'"{names.workspace_schema(workspace)}"."{view}"'

    def role(self, workspace: str = "Desk", group: str = "G") -> str:
        return names.consumer_role(self.ecosystem, workspace, group)

    def reader(self, workspace: str = "Desk", group: str = "G") -> Reader:
        """Somebody who may log in and is a member of the group's role, and of nothing else."""
        login = f"person_{next(_numbers)}"
        server = self.home.server
        server.create_role(login, "secret")
        self.execute(f'GRANT "{self.role(workspace, group)}" TO "{login}"')
        return Reader(server.dsn(self.home.name, login, "secret"), login)

    def execute(self, statements: str) -> None:
        """As the owner of the views' database, who is the reconciler."""
        self.merging.execute(statements, on=self.home)

    def open_to_all(self) -> None:
        self.execute(f'GRANT CONNECT ON DATABASE "{self.home.name}" TO PUBLIC')

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        return self.merging.query(statement, on=self.home)

    def changed(self, statements: str) -> None:
        """Change the producer, take its tables over into the model, and merge on both platforms."""
        self.merging.execute(statements)
        self.merging.describe()
        for kind in Milestoning:
            self.merging.run(kind)


@dataclass(frozen=True)
class Reader:
    dsn: str
    login: str

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        with closing(psycopg2.connect(self.dsn)) as session, session.cursor() as cursor:
            cursor.execute("SET TimeZone = 'UTC'")
            cursor.execute(statement)
            return cursor.fetchall()

    def may_not_connect(self) -> bool:
        try:
            psycopg2.connect(self.dsn).close()
        except psycopg2.OperationalError as error:
            if "permission denied for database" not in str(error):
                raise
            return True
        return False

    def is_refused(self, statement: str) -> bool:
        """Whether the server says that we may not, or not even connect; any other error is a mistake of the test's."""
        if self.may_not_connect():
            return True
        with closing(psycopg2.connect(self.dsn)) as session, session.cursor() as cursor:
            try:
                cursor.execute(statement)
            except psycopg2.errors.InsufficientPrivilege:
                return True
            return False


@pytest.fixture
def consuming(merging, postgres):
    """`consuming(ddl)`: merged once on both platforms, with a workspace Desk whose group G has every dataset."""

    def make(ddl: str, groups: Any = None, **options: Any) -> Consuming:
        case = merging(ddl)
        every = tuple(dataset.name for dataset in case.datasets)
        owner = case.target.user
        with closing(psycopg2.connect(postgres.dsn())) as session, session, session.cursor() as cursor:
            cursor.execute(f'ALTER ROLE "{owner}" CREATEROLE')
        made = Consuming(case, f"Eco{next(_numbers)}", groups or {"Desk": {"G": every}}, **options)
        for kind in Milestoning:
            case.run(kind)
        return made

    return make
