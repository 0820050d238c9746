"""`dagfactory sync`."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from airflow_plugin.cli.options import (
    CHANGES,
    Branch,
    Compiled,
    ConnectWait,
    DetailedExitCode,
    GitCredential,
    InEnvironment,
    Json,
    ModelFolder,
    OverwriteDrift,
    Platforms,
    Repository,
    committed_model,
)
from config_schema.echo import echo, echo_text
from config_schema.errors import VariableMissing

if TYPE_CHECKING:
    from airflow_plugin.airflow_api import AirflowClient
    from airflow_plugin.sync.job_models import JobModelSync
    from airflow_plugin.sync.plan import Plan
    from airflow_plugin.sync.planned import Planned

TRIES = 5  # of a sync that nobody is asked about, beside others
log = logging.getLogger(__name__)

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing, as dagfactory plan does.")]
ForceRollback = Annotated[
    bool, typer.Option("--force-rollback", help="Also a commit that does not descend from the one applied last.")
]
AllowIncompatible = Annotated[
    list[str] | None,
    typer.Option(
        "--allow-incompatible",
        metavar="STORE.DATASET",
        help="Let changes to this dataset through that its merge tables cannot follow; may be given again.",
    ),
]
LeastTls = Annotated[
    str | None,
    typer.Option(
        "--least-tls",
        help="The weakest use of TLS for merge stores: require, verify-ca, verify-full; raises what the model says.",
        envvar="DAGFACTORY_LEAST_TLS",
    ),
]
Wait = Annotated[
    bool, typer.Option("--wait", help="Wait until Airflow has stored what was changed; needs DAGFACTORY_AIRFLOW_URL.")
]
Timeout = Annotated[int, typer.Option("--timeout", min=1, help="Seconds that --wait waits at most.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.", envvar="DAGFACTORY_YES")]


def sync(
    path: ModelFolder = Path(),
    git_repo_url: Repository = None,
    branch: Branch = "main",
    git_credential: GitCredential = "git",
    compiled: Compiled = None,
    platform: Platforms = None,
    in_environment: InEnvironment = None,  # set in its callback
    overwrite_drift: OverwriteDrift = False,
    force_rollback: ForceRollback = False,
    allow_incompatible: AllowIncompatible = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    detailed_exitcode: DetailedExitCode = False,
    as_json: Json = False,
    least_tls: LeastTls = None,
    connect_wait: ConnectWait = None,  # set in its callback
    wait: Wait = False,
    timeout: Timeout = 300,
) -> None:
    """Bring the stream tables in line with the model: show the plan, ask, apply.

    The model must be committed to git, because jobs run that commit. Once its branch has the commit, sync writes each
    stream's part of the model into the merge store, and jobs read that: they clone nothing. Of a model that is code
    (eco.py) sync records what it gives: it runs here in a closed process, or ran in dagfactory model compile.
    Refused are a commit that does not descend from the one applied last, and changes that data cannot follow: another
    key, a narrower column, a used dataset gone. Each platform's merge store is reached by DAGFACTORY_<PLATFORM>_DSN,
    or by the model and its secret's <SECRET>_USERNAME and <SECRET>_PASSWORD. A row that was changed by hand since the
    last sync is shown as drift and left so. Where DAGFACTORY_AIRFLOW_URL and DAGFACTORY_AIRFLOW_TOKEN name an Airflow,
    it is asked first whether a static file has the DAG id of a new stream; that is refused too. Afterwards that
    Airflow is asked to parse the files of what has changed, and with --wait sync ends when they are in its metadata. Of
    a platform that left the model all streams are retired. Without a terminal to ask on, it applies only with --yes.
    While another sync runs it waits, half a minute at most, and says so.

    Example: dagfactory sync model/ --platform YellowLive --yes

    Example: dagfactory sync model/ --yes --wait --timeout 120

    Exit codes: 0 done, or nothing to do; 1 an error, or a no to the question, or nobody to ask: nothing was changed;
    2 there were changes, or there are rows changed by hand (with --detailed-exitcode); 3 the rows are written, and
    Airflow has not stored all of them (with --wait).
    """
    from airflow_plugin.cli.messages import confirm, print_warning
    from airflow_plugin.cli.plan_view import job_model_lines, left_note, plan_as_dict, print_plan, summary
    from airflow_plugin.cli.seen_view import ask_to_parse, wait_until_stored
    from airflow_plugin.health.dag_owners import airflow_owner
    from airflow_plugin.sync.apply import StalePlan, apply, note_drift
    from airflow_plugin.sync.job_models import job_models
    from airflow_plugin.sync.plan import changed_by_platform
    from airflow_plugin.sync.planned import planned
    from airflow_plugin.sync.safety import refuse_clashes, refuse_incompatible, refuse_rollback

    airflow = _airflow(wait)
    source = committed_model(path, git_repo_url, branch, git_credential, compiled)
    environment = os.environ | ({"DAGFACTORY_LEAST_TLS": least_tls} if least_tls else {})

    def plan_and_apply() -> tuple[Plan, Planned, JobModelSync | None, bool]:
        with planned(source, platform or (), environment, overwrite_drift=overwrite_drift) as found:
            plan = found.plan
            if not force_rollback:
                refuse_rollback(plan, source.descends_from)
            warned = print_warning if force_rollback else None
            refuse_incompatible(
                plan, source.model, found.model_at, allow_incompatible or (), warned, loaded=found.effects.loaded
            )
            refuse_clashes(plan, airflow_owner(airflow))
            models = None if dry_run else job_models(source, found.stores)
            applies = models is not None and (plan.changes_anything or found.lacks_compiled or bool(models.platforms))
            asks = applies and not yes
            if asks or not as_json:
                print_plan(plan, found.effects, source.model.environment, on_stderr=as_json)
            if asks:
                confirm("Apply these changes?")
            if applies:
                plan = apply(
                    found.stores,
                    found.graph,
                    source.commit,
                    compiled=source.compiled,
                    job_models=models,
                    shown=plan,
                    overwrite_drift=overwrite_drift,
                )
            elif not dry_run:
                note_drift(found.stores, plan)
        return plan, found, models, applies

    for left in reversed(range(TRIES)):
        try:
            plan, found, models, applies = plan_and_apply()
            break
        except StalePlan as error:
            # Nobody has looked at the plan: what another sync has just changed is planned again.
            if not (yes and left):
                raise
            log.warning("%s: %s. It is planned again", error.where, error.what)
    if as_json:
        echo_text(
            json.dumps(plan_as_dict(plan, found.effects, source.model.environment) | {"applied": applies}, indent=2)
        )
    else:
        for name in found.left:
            echo(left_note(name))
        for line in () if models is None else job_model_lines(models):
            echo(line)
        echo(summary(plan, done=not dry_run))
    if airflow is not None and applies:
        changed = changed_by_platform(plan)
        if wait:
            wait_until_stored(airflow, changed, timeout)
        else:
            ask_to_parse(airflow, changed)
    if detailed_exitcode and (plan.changes_anything or plan.drifted):
        raise typer.Exit(CHANGES)


def _airflow(needed: bool) -> AirflowClient | None:
    from airflow_plugin.health.dag_owners import URL_VARIABLE, airflow_here

    found = airflow_here()
    if needed and found is None:
        raise VariableMissing([URL_VARIABLE], "Set it to the address of Airflow's api-server: --wait asks there")
    return found
