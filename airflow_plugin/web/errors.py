"""Why a request is refused: a class for each status, and for each reaction of a client."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from config_schema.errors import StreamFactoryError


class Refused(StreamFactoryError):
    """A request cannot be answered.

    Change the request as the error says.
    """

    code = "DF4001"
    status = 400

    def __init__(self, what: str, todo: str) -> None:
        super().__init__("", what, todo)  # nothing that a caller would know


class RequestInvalid(Refused):
    """The parameters or the body of a request do not match the description of the API.

    Correct what the problems say; api/openapi.json describes every request.
    """

    code = "DF4002"

    def __init__(self, problems: Iterable[dict[str, Any]]) -> None:
        self.problems = list(problems)
        super().__init__("the request is not as it should be", "Correct what the problems say")


class LoginNeeded(Refused):
    """A request has no login of Airflow.

    Log in to Airflow, or send a token of its /auth/token.
    """

    code = "DF4003"
    status = 401

    def __init__(self) -> None:
        super().__init__("this needs a login", "Log in to Airflow, or send a token of its /auth/token")


class NotAllowed(Refused):
    """The user may not see, edit, trigger or create the object of the request.

    Ask whoever grants rights in Airflow; to create streams, a role of creator_roles is needed.
    """

    code = "DF4004"
    status = 403

    def __init__(self, what: str, todo: str = "Ask who gives rights in Airflow") -> None:
        super().__init__(what, todo)


class OtherSite(Refused):
    """A request that changes something may come from a page of another site.

    Use Airflow's own pages; a program sends Content-Type: application/json and a bearer token.
    """

    code = "DF4005"
    status = 403


class NotThere(Refused):
    """A platform, stream, run or path does not exist, or the user may not see it.

    Look in the list that the error names.
    """

    code = "DF4006"
    status = 404


class Conflict(Refused):
    """A stream is not, or is no longer, in the state that the request assumes.

    Look at the stream as it is now, and change that.
    """

    code = "DF4007"
    status = 409


class BodyTooLong(Refused):
    """A request's body is longer than the API accepts.

    Send less at once.
    """

    code = "DF4008"
    status = 413

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(f"the body is longer than {most} bytes", "Send less")


class DagNotThere(Refused):
    """Airflow does not have the DAG that the request needs.

    Wait until the dag-processor has parsed it, or look at its import errors.
    """

    code = "DF4009"

    def __init__(self, dag_id: str, status: int) -> None:
        self.dag_id, self.status = dag_id, status
        todo = "Wait until the dag-processor has parsed it, or look at its import errors"
        super().__init__(f"Airflow has no DAG {dag_id} at present", todo)


class NothingAnswers(Refused):
    """A merge store, or Airflow's metadata database, does not answer.

    Check that the server is running; the log of the api-server has more.
    """

    code = "DF4010"
    status = 503


class Unroutable(Refused):
    """The API has no such path, or the path does not support the method.

    See api/openapi.json for the paths and methods.
    """

    code = "DF4011"

    def __init__(self, status: int, what: str) -> None:
        self.status = status
        super().__init__(what, "See api/openapi.json for what there is")


class SettingsUnusable(StreamFactoryError):
    """The settings file of a platform cannot be used, so that nothing is known of its streams.

    Run dagfactory doctor, which says why.
    """

    code = "DF4012"

    def __init__(self, file: str) -> None:
        super().__init__(file, "this settings file cannot be used", "Run dagfactory doctor, which says why")
