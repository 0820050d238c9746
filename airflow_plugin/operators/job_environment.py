"""The environment of a job that runs on the worker: little of the worker's, and of its secrets those it names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from airflow.sdk.log import mask_secret

from airflow_plugin.jobs.merge_job import PodJob, environment_variables

# All that a job gets of the worker's environment, beside the secrets that it names. PGSSLMODE and its like are not
# among it: how a database is reached is said by the model and the settings, the same for every runner.
INHERITED = re.compile(
    r"PATH|HOME|LANG|LANGUAGE|LC_\w+|TZ|TMPDIR|PYTHONPATH"
    r"|SSL_CERT_FILE|SSL_CERT_DIR|REQUESTS_CA_BUNDLE|CURL_CA_BUNDLE|GIT_SSL_CAINFO|PGSSLROOTCERT"
    r"|HTTPS_PROXY|https_proxy|NO_PROXY|no_proxy|SSH_AUTH_SOCK|GIT_SSH|GIT_SSH_COMMAND"  # the way to the model
)


def job_environment(job: PodJob, worker: Mapping[str, str]) -> dict[str, str]:
    """Return the inherited variables and the job's secrets of the worker, which its logs mask from now on."""
    secrets = job.secrets
    inherited = {name: value for name, value in worker.items() if INHERITED.fullmatch(name)}
    given = {secret.name: worker[secret.name] for secret in secrets if secret.name in worker}
    for secret in secrets:
        if secret.key != "username" and secret.name in given:
            mask_secret(given[secret.name])
    return inherited | environment_variables(job) | given
