"""Who may do what: Airflow's rights on the DAG of a stream, and for new streams a role that the settings name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Annotated, Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.configuration import conf
from airflow.models.dag import DagModel
from fastapi import Depends, Request

from airflow_plugin.settings import SECTION, creator_roles, data_roles
from airflow_plugin.web.errors import NotAllowed
from config_schema import names

READ: Literal["GET"] = "GET"
EDIT: Literal["PUT"] = "PUT"

Right = Literal["GET", "PUT"]


class User:
    """The user of a request, and what Airflow's auth manager allows them."""

    def __init__(self, user: Any) -> None:
        self._user = user

    @property
    def name(self) -> str:
        """The name, as in the history of streams."""
        return str(self._user.get_name())

    @property
    def can_create(self) -> bool:
        """Whether one of the user's roles is in `[stream_factory] creator_roles`, in upper or lower case."""
        return not creator_roles().isdisjoint(role.lower() for role in _roles(self._user))

    def may(self, right: Right, dag_ids: Collection[str]) -> set[str]:
        """Return the DAGs, existing or not, on which the user has the right."""
        manager, found = get_auth_manager(), set()
        for team, of_team in _by_team(dag_ids).items():
            found |= manager.filter_authorized_dag_ids(dag_ids=of_team, user=self._user, method=right, team_name=team)
        return found

    def may_see_data(self, dag_id: str) -> bool:
        """Return whether the user may see values of the DAG's rows, and what a producer's server said."""
        wanted = data_roles()
        in_role = not wanted or not wanted.isdisjoint(role.lower() for role in _roles(self._user))
        return in_role and bool(self.may(EDIT, {dag_id}))

    def must_see_data(self, dag_id: str) -> None:
        """Raise Refused if the user may not see values of the DAG's rows."""
        if not self.may_see_data(dag_id):
            todo = f"Ask for the right to edit {dag_id}, and for a role of [{SECTION}] data_roles if that is set"
            raise NotAllowed(f"you may not see values of {dag_id}", todo)

    def may_see_servers(self, platform: str) -> bool:
        """Return whether the user may see the server and user of a session of the platform (derived name).

        These are the people who may edit the platform's own DAGs, including administrators.
        """
        return bool(self.may(EDIT, {names.health_dag_id(platform)}))

    def must(self, right: Right, dag_id: str) -> None:
        """Raise Refused if the user does not have the right."""
        if not self.may(right, {dag_id}):
            word = "see" if right == READ else "edit"
            raise NotAllowed(f"you may not {word} {dag_id}")

    def may_trigger(self, dag_id: str) -> bool:
        """Return whether Airflow would let the user trigger the DAG."""
        team = next(iter(_by_team({dag_id})))
        return get_auth_manager().is_authorized_dag(
            method="POST",
            access_entity=DagAccessEntity.RUN,
            details=DagDetails(id=dag_id, team_name=team),
            user=self._user,
        )

    def must_trigger(self, dag_id: str) -> None:
        """Raise Refused if Airflow would not let the user trigger the DAG."""
        if not self.may_trigger(dag_id):
            raise NotAllowed(f"you may not trigger {dag_id}")

    def must_create(self) -> None:
        """Raise Refused if the user may not create streams."""
        if not self.can_create:
            what = "none of your roles may create streams"
            raise NotAllowed(what, f"Ask for a role of [{SECTION}] creator_roles, or commit the stream to the model")

    def must_purge(self) -> None:
        """Raise Refused if the user may not take streams away for good: those may who may create streams."""
        if not self.can_create:
            raise NotAllowed("none of your roles may purge streams", f"Ask for a role of [{SECTION}] creator_roles")


def _user(request: Request) -> User:
    return User(request.state.stream_factory_user)  # the gate has put it there


UserDep = Annotated[User, Depends(_user)]


def sees_servers(request: Request) -> bool:
    """Return whether who asks may see the servers of the platform that the path names, itself or by a DAG id."""
    named = request.path_params
    platform = named.get("platform") or named.get("dag_id", "").partition("__")[0]
    return bool(platform) and _user(request).may_see_servers(platform)


def _by_team(dag_ids: Collection[str]) -> dict[str | None, set[str]]:
    if not conf.getboolean("core", "multi_team", fallback=False):
        return {None: set(dag_ids)}
    teams, found = DagModel.get_dag_id_to_team_name_mapping(list(dag_ids)), defaultdict(set)
    for dag_id in dag_ids:
        found[teams.get(dag_id)].add(dag_id)
    return dict(found)


def _roles(user: Any) -> Iterator[str]:
    """Yield the names of the user's roles: auth managers differ in how they keep them."""
    for found in (getattr(user, "role", None), *(getattr(user, "roles", None) or ())):
        name = getattr(found, "name", found)
        if isinstance(name, str):
            yield name
