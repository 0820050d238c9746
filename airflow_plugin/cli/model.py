"""`dagfactory model`: parts of a model from elsewhere and for others, and the output of a model that is code."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from airflow_plugin.cli.model_export import exports
from airflow_plugin.cli.model_import import imports
from airflow_plugin.cli.old_names import with_old_options
from airflow_plugin.cli.options import OLD_BRANCH, Branch, ConnectWait, GitCredential, ModelFolder
from config_schema.echo import echo, echo_document

Url = Annotated[str, typer.Option("--git-repo-url", help="The repository.", envvar="DAGFACTORY_GIT_REPO_URL")]
Folder = Annotated[Path, typer.Option("--out", help="An empty folder, or one that is made.")]
Out = Annotated[Path | None, typer.Option("--out", help="Write into this file, not to standard output.")]

model = typer.Typer(help="Get a model, or a part of one.", no_args_is_help=True)


@model.callback()
def group() -> None:
    """Get a model, or a part of one."""


model.add_typer(imports, name="import")
model.add_typer(exports, name="export")


@model.command("fetch", cls=with_old_options(OLD_BRANCH))
def fetch_model(
    git_repo_url: Url,
    out: Folder,
    branch: Branch = "main",
    git_credential: GitCredential = "git",
    connect_wait: ConnectWait = None,  # set in its callback
) -> None:
    """Fetch a model from git into a folder, run nothing of it, and print the commit.

    This is for model compile, which has no token to fetch it itself.

    Example: dagfactory model fetch --git-repo-url https://git.example/team/model.git --out /model

    Exit codes: 0 done, 1 git could not do it.
    """
    import os

    from config_schema import names
    from config_schema.load.git import checkout

    token = os.environ.get(names.secret_variable(git_credential, "token"))
    echo(checkout(git_repo_url, branch, None, out, token))


@model.command("compile")
def compile_model(path: ModelFolder = Path(), out: Out = None) -> None:
    """Run a model's code (eco.py) and write down what it gives, for sync --compiled.

    The code runs twice, in a closed process: without environment, network, other files or the means to start
    processes, as far as the system allows it. Run this where there are no secrets: a step of a workflow, an init
    container. A model in YAML has no code to run; the file then says so.

    Example: dagfactory model compile model/ --out compiled.json

    Exit codes: 0 done, 1 the model is wrong or cannot be read.
    """
    from config_schema.load import load_model
    from config_schema.load.folder import compiled, reading
    from config_schema.load.git import commit_if_any

    made = compiled(path, commit_if_any(path))
    load_model(path, reading(made))  # what is wrong with it is shown here, before it reaches sync
    text = made.to_json() + "\n"
    if out is None:
        echo_document(text)
    else:
        out.write_text(text, "utf-8")
