"""One api-server for all tests of the API; each test leaves the streams that others look at as they were."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest

from airflow_plugin.demo.postgres import EmbeddedPostgres
from tests.web.world import World, airflow_with_plugin, fill


@pytest.fixture(scope="session")
def world(postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with airflow_with_plugin(postgres, tmp_path_factory.mktemp("web")) as world:
        fill(world)
        world.start()
        yield world


@pytest.fixture
def client(world: World) -> Iterator[Callable[[str | None], httpx.Client]]:
    """A function that gives a client of a user, or of nobody."""
    made: list[httpx.Client] = []

    def make(user: str | None = "admin") -> httpx.Client:
        made.append(world.client(user))
        return made[-1]

    yield make
    for one in made:
        one.close()
