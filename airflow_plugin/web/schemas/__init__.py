"""What the API takes and gives, as its OpenAPI description has it, a file per subject. Times are ISO 8601, in UTC."""

from airflow_plugin.web.schemas.changes import *  # noqa: F403
from airflow_plugin.web.schemas.lists import *  # noqa: F403
from airflow_plugin.web.schemas.parts import *  # noqa: F403
from airflow_plugin.web.schemas.preview import *  # noqa: F403
from airflow_plugin.web.schemas.runs import *  # noqa: F403
from airflow_plugin.web.schemas.source import *  # noqa: F403
from airflow_plugin.web.schemas.stream import *  # noqa: F403
