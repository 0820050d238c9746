"""Why a live database cannot be described as a datastore of the model."""

from __future__ import annotations

from config_schema.errors import CommandWrong


class DatastoreImpossible(CommandWrong):
    """The datastore that would be written breaks a rule of the model: by its name or its credential, for example.

    Give another --name or --credential, as the error says.
    """

    code = "DF5501"

    def __init__(self, option: str, path: str, what: str, todo: str) -> None:
        self.option, self.path = option, path
        super().__init__(option, f"{path}: {what}", todo)


class SchemaNotReadable(CommandWrong):
    """The user of the DSN may not use the schema whose tables are to be read.

    Grant the user USAGE on the schema and SELECT on its tables.
    """

    code = "DF5502"

    def __init__(self, server: str, schema: str, user: str) -> None:
        self.server, self.schema, self.user = server, schema, user
        what = f"the user {user!r} may not use the schema {schema!r} of {server}"
        super().__init__("--schema", what, f'Run GRANT USAGE ON SCHEMA "{schema}" there, and SELECT on its tables')


class NoTableFound(CommandWrong):
    """No table that was asked for exists, or none of them has a key that the model can use.

    Check --schema, --table and what the user may read.
    """

    code = "DF5503"

    def __init__(self, where: str, reasons: str = "") -> None:
        self.reasons = reasons
        what = f"there is no table with a usable key: {reasons}" if reasons else "no table matches the options"
        super().__init__(where, what, "Check --schema, --table and what the user may read")
