"""A command's options for the model and the merge store, completed by the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from config_schema.errors import OptionMissing, OptionsConflict, UnknownName
from config_schema.job_model import StreamModel
from config_schema.model import Database, Ecosystem
from config_schema.model.mapping import Model, served_sinks
from config_schema.tls import Tls, strongest
from merge_jobs.database.connections import ConnectionInfo, place_of
from merge_jobs.run.model_source import GitModel, model_by_git, model_in, synced_model, synced_stream


@dataclass(frozen=True)
class ModelFlags:
    """The model's address: a folder, used as it is, or a repository, of which the synced commit is used."""

    folder: Path | None = None
    git: GitModel | None = None


@dataclass(frozen=True)
class StoreFlags:
    """The merge store's address, as far as the command gives it; the rest comes from the model."""

    host: str | None = None
    port: int | None = None
    database: str | None = None
    schema: str | None = None
    credential: str | None = None
    tls: Tls | None = None
    tls_ca: str | None = None
    least_tls: Tls | None = None  # of every database, also of those that only the model names


def model_of(flags: ModelFlags, store: StoreFlags, platform: str | None) -> tuple[Ecosystem, str | None]:
    """Return the model, and its commit if it comes from git. Raises StreamFactoryError."""
    model, commit = mapped_model_of(flags, store, platform)
    return model.ecosystem, commit


def mapped_model_of(flags: ModelFlags, store: StoreFlags, platform: str | None) -> tuple[Model, str | None]:
    """Return the whole model with its mappings, and its commit if it comes from git. Raises StreamFactoryError."""
    return _model_of(flags, store, platform, model_by_git)


def platform_model_of(flags: ModelFlags, store: StoreFlags, platform: str | None) -> tuple[Model, str | None]:
    """Return the model, or of a synced one only the part for the platform's jobs, and its commit.

    Raises StreamFactoryError.
    """
    return _model_of(flags, store, platform, synced_model)


def stream_model_of(
    flags: ModelFlags, store: StoreFlags, platform: str, keys: Sequence[str]
) -> tuple[StreamModel, str | None]:
    """Return the model for a merge, and its commit; of a synced one the row of a stream with one of the keys.

    If there is no such row, it contains the whole ecosystem. Raises StreamFactoryError.
    """
    _check(flags, store, platform)
    if flags.git is not None and keys:
        found = synced_stream(flags.git, _place(store), platform, keys)
        if found is not None:
            model, commit = found
            return replace(model, ecosystem=_with_least_tls(model.ecosystem, store.least_tls)), commit
    whole, commit_of_git = mapped_model_of(flags, store, platform)
    return StreamModel(whole.ecosystem, served_sinks(whole, platform)), commit_of_git


def _model_of(
    flags: ModelFlags,
    store: StoreFlags,
    platform: str | None,
    synced: Callable[[GitModel, ConnectionInfo, str], tuple[Model, str]],
) -> tuple[Model, str | None]:
    _check(flags, store, platform)
    if flags.folder is not None:
        model, commit = model_in(flags.folder), None
    else:
        assert flags.git is not None
        assert platform is not None
        model, commit = synced(flags.git, _place(store), platform)
    return replace(model, ecosystem=_with_least_tls(model.ecosystem, store.least_tls)), commit


def _check(flags: ModelFlags, store: StoreFlags, platform: str | None) -> None:
    """Raise CommandWrong unless the options give the model's address, and where its commit is recorded."""
    if (flags.folder is None) == (flags.git is None):
        if flags.git is not None:
            raise OptionsConflict(["--model", "--git-repo-url"])
        raise OptionMissing(["--model", "--git-repo-url"], "Give one of them", "merge-job")
    if flags.git is None:
        return
    if platform is None:
        why = "which records the commit to use"
        raise OptionMissing(["--platform"], "Give --platform", "--git-repo-url", why)
    if store.host is None or store.database is None or store.credential is None:
        given = {
            "--postgres-host": store.host,
            "--postgres-database": store.database,
            "--postgres-credential": store.credential,
        }
        missing = [option for option, value in given.items() if value is None]
        todo = "Give --postgres-host, --postgres-database and --postgres-credential"
        raise OptionMissing(missing, todo, "--git-repo-url", "the merge store records the commit to use")


def _place(store: StoreFlags) -> ConnectionInfo:
    """Return the merge store's address from flags that `_check` has passed."""
    assert store.host is not None
    assert store.database is not None
    assert store.credential is not None
    return store_place(store, Database(store.host, store.database, store.credential))


def platform_store(model: ModelFlags, store: StoreFlags, platform: str) -> ConnectionInfo:
    """Return the merge store of a platform, which may have left the model if the flags give everything.

    Of a folder the model is read all the same, as its `tls` counts too. Raises StreamFactoryError.
    """
    given: Database | None = None
    if store.host is not None and store.database is not None and store.credential is not None:
        given = Database(store.host, store.database, store.credential)
        if model.folder is None:
            return store_place(store, given)
    ecosystem, _ = model_of(model, store, platform)
    try:
        return store_place(store, ecosystem.platform(platform).merge_store)
    except KeyError:
        if given is not None:
            return store_place(store, given)
        known = [one.name for one in ecosystem.platforms]
        raise UnknownName("--platform", "platform", platform, known, "the model") from None


def store_place(flags: StoreFlags, modelled: Database) -> ConnectionInfo:
    """Return the merge store's address, with its login. Raises CommandWrong naming the variable that is missing."""
    return place_of(store_database(flags, modelled), None)


def store_database(flags: StoreFlags, modelled: Database) -> Database:
    """Return the merge store from the flags, which come from the synced row, completed from the model."""
    given = {
        key: value
        for key, value in (
            ("host", flags.host),
            ("port", flags.port),
            ("database", flags.database),
            ("schema", flags.schema),
            ("credential", flags.credential),
            ("tls_ca", flags.tls_ca),
        )
        if value is not None
    }
    # Neither the model nor the settings can weaken what the other says.
    mode = strongest(modelled.tls, flags.tls, flags.least_tls)
    return replace(modelled, tls=mode, **given)  # type: ignore[arg-type]  # each key with its field's type


def _with_least_tls(ecosystem: Ecosystem, least: Tls | None) -> Ecosystem:
    """Return the ecosystem with at least this TLS mode for every database."""
    if least is None:
        return ecosystem
    platforms = tuple(
        replace(
            one,
            merge_store=_at_least(one.merge_store, least),
            consumer_db=None if one.consumer_db is None else _at_least(one.consumer_db, least),
        )
        for one in ecosystem.platforms
    )
    stores = tuple(replace(one, source=_at_least(one.source, least)) for one in ecosystem.datastores)
    return replace(ecosystem, platforms=platforms, datastores=stores)


def _at_least(database: Database, least: Tls) -> Database:
    return replace(database, tls=strongest(database.tls, least))
