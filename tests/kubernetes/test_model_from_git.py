"""The model from a real git server that demands a token: what is fetched, who sees the token, what goes wrong."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from config_schema.errors import ProblemsFound
from config_schema.load import git_program
from config_schema.load.folder import ONE_MODEL
from config_schema.load.git import checkout
from config_schema.load.git_errors import (
    AddressRefused,
    GitError,
    GitTooSlow,
    RepositoryClosed,
    RepositoryMissing,
    RevisionMissing,
    ServerRedirects,
)
from config_schema.model import Database
from merge_jobs.database.connections import place_of
from merge_jobs.run.model_source import GitModel, ModelNotRecorded, synced_model
from tests.kubernetes.git_server import GitServer, git
from tests.kubernetes.world import World

TOKEN = "a-token-that-must-not-be-seen"


@pytest.fixture
def server(tmp_path) -> Iterator[GitServer]:
    folder = tmp_path / "served"
    folder.mkdir()
    made = GitServer(folder, TOKEN)
    yield made
    made.close()


@pytest.fixture
def synced(world: World, monkeypatch):
    """The model of the commit that sync recorded, read as the job does."""
    monkeypatch.setenv("GIT_TOKEN", world.git.token)
    before = world.synced
    of = Database(world.server.host, "merge_store", "postgres", world.server.port)
    store = place_of(of, None, {"POSTGRES_USERNAME": "merger", "POSTGRES_PASSWORD": world.password})
    yield lambda branch="main": synced_model(GitModel(world.git.url, branch, "git"), store, "YellowLive")
    world.sync(before)


def test_the_commit_that_was_synced_is_fetched_alone_by_its_token(server, tmp_path):
    server.commit({"ecosystem.yaml": "name: one"})
    head = server.commit({"ecosystem.yaml": "name: two"})
    assert checkout(server.url, "main", head, tmp_path / "got", TOKEN) == head
    assert (tmp_path / "got" / "ecosystem.yaml").read_text() == "name: two"
    assert git(tmp_path / "got", "rev-list", "--count", "HEAD") == "1"
    with pytest.raises(RepositoryClosed):
        checkout(server.url, "main", head, tmp_path / "not got")


@pytest.mark.parametrize("old", [False, True], ids=["today's protocol", "commits by name only"])
def test_a_commit_is_fetched_though_the_branch_went_on(server, tmp_path, old):
    server.old = old
    recorded = server.commit({"ecosystem.yaml": "name: one"})
    server.commit({"ecosystem.yaml": "name: two"})
    assert checkout(server.url, "main", recorded, tmp_path / "got", TOKEN) == recorded
    assert (tmp_path / "got" / "ecosystem.yaml").read_text() == "name: one"


def test_a_tag_and_a_commit_may_stand_for_a_branch(server, tmp_path):
    tagged = server.commit({"ecosystem.yaml": "name: one"})
    git(server.repository, "tag", "v1", tagged)
    server.commit({"ecosystem.yaml": "name: two"})
    assert checkout(server.url, "v1", tagged, tmp_path / "by tag", TOKEN) == tagged
    assert checkout(server.url, tagged, None, tmp_path / "by commit", TOKEN) == tagged


# --- the token


def test_nothing_shows_the_token_while_the_model_is_fetched(server, tmp_path):
    server.commit({"ecosystem.yaml": "name: one"})
    with fetching_process(server, tmp_path) as process:
        pids = until(lambda: talking_to(server))
        shown = "\n".join(command for _, command in commands())
        files = [path.read_bytes() for path in (tmp_path / "got").rglob("*") if path.is_file()]
    server.answers.set()
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert server.url in shown
    files += [path.read_bytes() for path in (tmp_path / "got").rglob("*") if path.is_file()]
    assert pids
    for form in (TOKEN, base64.b64encode(f"x-access-token:{TOKEN}".encode()).decode()):
        assert form not in shown + said
        assert not any(form.encode() in content for content in files)


def test_a_job_that_is_ended_while_it_fetches_leaves_no_git_behind(server, tmp_path):
    server.commit({"ecosystem.yaml": "name: one"})
    with fetching_process(server, tmp_path) as process:
        pids = until(lambda: talking_to(server))
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids))


def test_another_server_does_not_get_the_token(server, tmp_path, monkeypatch):
    (tmp_path / ".gitconfig").write_text(f'[url "{server.url}"]\n\tinsteadOf = http://git.example/model.git\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    server.commit({"ecosystem.yaml": "name: one"})
    with pytest.raises(RepositoryClosed):
        checkout("http://git.example/model.git", "main", None, tmp_path / "got", TOKEN)


@pytest.mark.parametrize("token", [TOKEN, None], ids=["with a token", "without one"])
@pytest.mark.parametrize("to", ["127.0.0.1", "localhost"], ids=["another port", "another host"])
def test_a_redirect_to_another_server_is_refused_and_gets_no_token(server, tmp_path, token, to):
    (tmp_path / "elsewhere").mkdir()
    other = GitServer(tmp_path / "elsewhere", TOKEN)
    other.commit({"ecosystem.yaml": "name: theirs"})
    server.redirect = other.url.removesuffix("/model.git").replace("127.0.0.1", to)
    try:
        with pytest.raises(
            ServerRedirects, match=f"redirects to another address, on {to}; redirects are not followed"
        ) as caught:
            checkout(server.url, "main", None, tmp_path / "got", token)
    finally:
        other.close()
    assert (caught.value.to, caught.value.retryable) == (to, False)
    assert not other.seen
    assert not (tmp_path / "got" / "ecosystem.yaml").exists()


def test_what_a_server_says_of_an_error_takes_no_memory(tmp_path):
    """git passes it on line by line, of any length; how it ends says what went wrong."""

    class Talks(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(500)
            self.send_header("Content-Type", "text/plain")
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(b"fatal: a line of a server\n" * 100_000)

    with ThreadingHTTPServer(("127.0.0.1", 0), Talks) as server, tempfile.TemporaryDirectory() as settings:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        git = git_program.Git(tmp_path, git_program.git_environment(Path(settings)), "here")
        url = f"http://127.0.0.1:{server.server_port}/model.git"
        printed, complained, failed = git._start(("ls-remote", url), {})
        server.shutdown()
    assert (printed, failed) == ("", True)
    assert len(complained) <= 4 * git_program.MOST_COMPLAINTS
    assert complained.splitlines()[-1].endswith("The requested URL returned error: 500")


def test_a_user_s_own_settings_do_not_let_redirects_through(server, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    other = GitServer(tmp_path / "elsewhere", TOKEN)
    server.redirect = other.url.removesuffix("/model.git")
    (tmp_path / ".gitconfig").write_text(
        f'[http]\nfollowRedirects = true\n[http "{server.url}"]\nfollowRedirects = true\n'
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    try:
        with pytest.raises(ServerRedirects):
            checkout(server.url, "main", None, tmp_path / "got", TOKEN)
    finally:
        other.close()
    assert not other.seen


@pytest.mark.parametrize("address", ["http://git.example/model.git", "ssh://git.example/model.git"])
def test_an_address_that_a_user_s_settings_replace_follows_no_redirect_either(server, tmp_path, monkeypatch, address):
    (tmp_path / "elsewhere").mkdir()
    other = GitServer(tmp_path / "elsewhere", TOKEN)
    server.redirect = other.url.removesuffix("/model.git")
    (tmp_path / ".gitconfig").write_text(f'[url "{server.url}"]\n\tinsteadOf = {address}\n')
    monkeypatch.setenv("HOME", str(tmp_path))
    try:
        with pytest.raises(ServerRedirects):
            checkout(address, "main", None, tmp_path / "got")
    finally:
        other.close()
    assert not other.seen


@pytest.mark.parametrize("form", ["http::{}", "https::{}", "http:///{}", "ext::sh -c 'touch got' {}"])
def test_an_address_that_git_reads_otherwise_than_we_do_is_refused_and_not_shown(server, tmp_path, form):
    address = form.format(server.url.replace("http://", f"http://somebody:{TOKEN}@"))
    with pytest.raises(AddressRefused, match=r"it is no address of a server\. Write it as https://") as caught:
        checkout(address, "main", None, tmp_path / "got", TOKEN)
    assert TOKEN not in str(caught.value)
    assert not server.seen


def test_a_redirect_within_the_server_is_followed(server, tmp_path):
    server.redirect = server.url.removesuffix("/model.git") + "/moved"
    head = server.commit({"ecosystem.yaml": "name: one"})
    assert checkout(server.url, "main", None, tmp_path / "got", TOKEN) == head


@pytest.mark.parametrize(
    "to", ["http://host:port", "http://[", "http://\x1b[31mred", "file:///etc", "", "//git.example"]
)
def test_a_redirect_to_what_is_no_address_is_one_clear_error(server, tmp_path, to):
    server.redirect = to if to else "?"
    with pytest.raises(ServerRedirects) as caught:
        checkout(server.url, "main", None, tmp_path / "got", TOKEN)
    assert "\x1b" not in str(caught.value)


def test_a_redirect_without_a_host_is_followed_on_its_server(server, tmp_path):
    server.redirect = "/moved"
    head = server.commit({"ecosystem.yaml": "name: one"})
    assert checkout(server.url, "main", None, tmp_path / "got", TOKEN) == head


def test_a_redirect_that_leads_back_is_one_clear_error(server, tmp_path):
    server.redirect = server.url.removesuffix("/model.git") + "/again"
    with pytest.raises(ServerRedirects):
        checkout(server.url, "main", None, tmp_path / "got", TOKEN)


def test_an_address_with_a_password_in_it_is_refused_and_not_shown(tmp_path):
    with pytest.raises(AddressRefused, match="the address has a password in it") as caught:
        checkout(f"https://somebody:{TOKEN}@git.example/team/model.git", "main", None, tmp_path / "got")
    assert TOKEN not in str(caught.value)


# --- what goes wrong


def test_who_has_no_access_gets_that_error(server, tmp_path):
    server.commit({"ecosystem.yaml": "name: one"})
    for number, token in enumerate(("another", None)):
        with pytest.raises(RepositoryClosed, match=r"no access\. Check the token") as caught:
            checkout(server.url, "main", None, tmp_path / str(number), token)
        assert not caught.value.retryable


@pytest.mark.parametrize(
    ("status", "kind", "retryable"),
    [(403, RepositoryClosed, False), (404, RepositoryMissing, False), (503, GitError, True)],
)
def test_what_a_server_refuses_is_one_clear_error(server, tmp_path, status, kind, retryable):
    server.status = status
    with pytest.raises(kind) as caught:
        checkout(server.url, "main", None, tmp_path / "got", TOKEN)
    assert (type(caught.value), caught.value.retryable) == (kind, retryable)


def test_a_server_that_is_away_may_come_back(server, tmp_path):
    url = server.url
    server.close()
    with pytest.raises(GitError) as caught:
        checkout(url, "main", None, tmp_path / "got", TOKEN)
    assert caught.value.retryable


def test_a_server_that_does_not_answer_is_given_up_in_time(server, tmp_path, monkeypatch):
    server.commit({"ecosystem.yaml": "name: one"})
    server.answers.clear()
    monkeypatch.setattr(git_program, "TIME_LIMIT_SECONDS", 0.5)
    with pytest.raises(GitTooSlow) as caught:
        checkout(server.url, "main", None, tmp_path / "got", TOKEN)
    assert (caught.value.step, caught.value.seconds, caught.value.retryable) == ("fetch", 0.5, True)
    until(lambda: not talking_to(server))  # they are killed with the group, and only its leader is waited for


def test_a_branch_that_is_not_there_is_named(server, tmp_path):
    server.commit({"ecosystem.yaml": "name: one"})
    with pytest.raises(RevisionMissing) as caught:
        checkout(server.url, "nope", None, tmp_path / "got", TOKEN)
    assert not caught.value.retryable


def test_a_repository_without_a_model_is_reported_as_such(world: World, synced):
    world.sync(world.git.commit({"README.md": "a model will be here"}, branch="empty"))
    with pytest.raises(ProblemsFound) as refused:
        synced("empty")
    assert ONE_MODEL.code in [one.code for one in refused.value.problems]


@pytest.mark.parametrize(
    ("file", "text", "kind", "said"),
    [
        ("ecosystem.yaml", "name: [", ProblemsFound, "YAML"),
        ("ecosystem.yaml", "name: Test\nplatforms: 7", ProblemsFound, "platforms"),
        ("eco.py", "raise RuntimeError('no')", ModelNotRecorded, None),
    ],
    ids=["not YAML", "not a model", "a program"],
)
def test_a_model_that_does_not_load_is_reported_with_what_is_wrong(world: World, synced, file, text, kind, said):
    world.sync(world.git.commit({file: text, "dsg_platform_mapping.json": "[]"}, branch="broken"))
    with pytest.raises(kind, match=said) as caught:
        synced("broken")
    assert "Traceback" not in str(caught.value)


# --- looking on


@contextmanager
def fetching_process(server: GitServer, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that fetches the model, while the server does not answer."""
    program = (
        "import os, signal, sys; from pathlib import Path; from config_schema.load.git import checkout\n"
        # What runs in the background of a shell inherits that it is to be ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "checkout(sys.argv[1], 'main', None, Path(sys.argv[2]), os.environ['GIT_TOKEN'])"
    )
    server.answers.clear()
    process = subprocess.Popen(
        [sys.executable, "-c", program, server.url, str(folder / "got")],
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "GIT_TOKEN": TOKEN, "GIT_TRACE_CURL": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    except BaseException:
        process.kill()
        raise


def commands() -> list[tuple[int, str]]:
    """What the process list shows."""
    shown = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            shown.append((int(path.parent.name), path.read_bytes().replace(b"\0", b" ").decode(errors="replace")))
        except OSError:
            continue
    return shown


def talking_to(server: GitServer) -> list[int]:
    """The processes of git that talk to the server."""
    return [pid for pid, command in commands() if server.url in command and "remote-http" in command]


def until(condition):
    for _ in range(200):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it did not come about")
