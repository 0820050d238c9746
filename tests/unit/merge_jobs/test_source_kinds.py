"""What each kind of database needs to be read, where the type checker cannot say that it is missing."""

from __future__ import annotations

from sqlalchemy.engine import URL

from config_schema.model import SourceKind
from merge_jobs.sources.sql.dialects import DIALECTS


def test_each_kind_of_database_but_postgresql_has_a_dialect_that_sqlalchemy_knows():
    assert set(DIALECTS) == set(SourceKind) - {SourceKind.POSTGRESQL, SourceKind.FILES, SourceKind.REST}
    for kind, dialect in DIALECTS.items():
        assert URL.create(dialect.driver).get_dialect().name == kind.value
