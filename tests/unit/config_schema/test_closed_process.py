"""What a model's code can do to the process that evaluates it, to the machine and to the result, attacked."""

from __future__ import annotations

import ast
import ctypes
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from config_schema.errors import ProblemsFound
from config_schema.load import closed_process, landlock, model_files
from config_schema.load.model_files import ModelTooLarge
from config_schema.load.python_model import ecosystem_of_python

GIVEN = """
from config_schema.model import Ecosystem
def createEcosystem():
    {body}
    return Ecosystem(name=name, platforms=(), datastores=())
"""
SECRET = "hunter2-of-the-environment"
ROOT = os.geteuid() == 0
GET_DUMPABLE = 3


@pytest.fixture
def model(tmp_path: Path):
    def write(body: str) -> Path:
        path = tmp_path / "model" / "eco.py"
        path.parent.mkdir(exist_ok=True)
        path.write_text(GIVEN.format(body="\n    ".join(body.strip().splitlines())))
        return path

    return write


def found(path: Path) -> str:
    """Return the name that the model's code gives its ecosystem: what it has found out."""
    return str(ecosystem_of_python(path)["name"])


def problem(path: Path) -> str:
    with pytest.raises(ProblemsFound) as caught:
        ecosystem_of_python(path)
    [only] = caught.value.problems
    return str(only)


def test_no_process_s_environment_can_be_read(model, monkeypatch):
    monkeypatch.setenv("POSTGRES_PASSWORD", SECRET)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env={"TOKEN": SECRET}) as other:
        assert other.stdin is not None
        path = model(f"""
import glob, os
seen = [value.encode() for value in os.environ.values()]
own = [f"/proc/{{pid}}/environ" for pid in ({os.getpid()}, {other.pid}, os.getppid())]
for place in glob.glob("/proc/[0-9]*/environ") + own:
    try:
        seen.append(open(place, "rb").read())
    except OSError:
        pass
name = "leaked" if b"{SECRET}" in b" ".join(seen) else "nothing"
""")
        assert found(path) == "nothing"
        other.stdin.close()


@pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")
def test_the_evaluating_process_shuts_its_own_proc_folder(model):
    found(model("name = 'any'"))
    assert ctypes.CDLL(None).prctl(GET_DUMPABLE, 0, 0, 0, 0) == 0


def test_the_evaluating_process_cannot_be_ended_or_stopped(model):
    path = model(f"""
import os, signal
done = []
for pid in ({os.getpid()}, os.getppid()):
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP):
        try:
            if pid > 1:
                os.kill(pid, number)
                done.append(number)
        except OSError:
            pass
name = "sent" if done else "nothing"
""")
    assert found(path) == "nothing"


@pytest.mark.skipif(not ROOT, reason="this is not root: the code has the same user")
def test_root_s_files_cannot_be_read(model, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o600)
    path = model(f"""
import os
name = f"user {{os.geteuid() == 0}} {{os.getuid() == 0}}"
for place in ({str(secret)!r}, "/etc/shadow"):
    try:
        open(place).read(1)
        name = f"read {{place}}"
    except OSError:
        pass
try:
    os.setuid(0)
    name = "root again"
except OSError:
    pass
""")
    assert found(path) == "user False False"


def test_no_file_but_the_model_s_and_python_s_is_seen(model, tmp_path):
    if not _has_namespaces():
        pytest.skip("this system gives no namespaces to this user")
    (tmp_path / "readable").write_text(SECRET)
    path = model(f"""
import os
name = repr(([place for place in ({str(tmp_path)!r}, "/etc", "/home", "/run", "/var", "/sys") if os.path.exists(place)],
             sorted(os.listdir("."))))
""")
    assert found(path) == repr(([], ["eco.py"]))


@pytest.mark.parametrize(
    "act",
    [
        "os.fork() or os._exit(0)",
        "threading.Thread(target=print).start()",
        "subprocess.run(['true'])",
        "os.write(os.open('/tmp/written-by-a-model', os.O_CREAT | os.O_WRONLY), b'x')",
        "open('beside', 'w')",
        "open('eco.py', 'a')",
        "os.remove('eco.py')",
        "os.chmod('eco.py', 0o777)",
    ],
)
def test_no_process_is_started_and_no_file_is_written(model, act):
    path = model(f"""
import os, subprocess, threading
try:
    {act}
    name = "done"
except (OSError, RuntimeError):
    name = "refused"
""")
    assert found(path) == "refused"


def test_no_server_is_reached(model):
    with socket.create_server(("127.0.0.1", 0)) as server:
        path = model(f"""
import socket
try:
    socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), timeout=2)
    name = "reached"
except OSError:
    name = "refused"
""")
        if not _has_namespaces():
            pytest.skip("this system gives no namespaces to this user")
        assert found(path) == "refused"


def test_what_python_asks_of_open_files_is_answered(model):
    asked = "import fcntl, os; name = f'{os.isatty(0)} {fcntl.ioctl(os.pipe()[0], 0x541B, bytes(4)).hex()}'"
    assert found(model(f"{asked}\nos.set_inheritable(0, False)")) == "False 00000000"


def _has_namespaces() -> bool:
    own = ["unshare", "--net", "--pid", "--fork", *([] if ROOT else ["--user"]), "true"]
    return subprocess.run(own, capture_output=True, check=False).returncode == 0


# A container mostly has no namespaces of its own to give, and the code has the same user there as what starts it.
WITHOUT = """
import os, sys
sys.path.insert(0, sys.argv[1])
from config_schema.load import closed_child, landlock, system_calls
closed_child._in_own_namespaces = lambda answer: False
closed_child.os.geteuid = lambda: -1
{more}
os._exit(closed_child.main(*sys.argv[1:4]))
"""
NO_LANDLOCK = "landlock.read_only_below = lambda folders: False"
NO_FILTER = "system_calls.refuse_system_calls = lambda: False"
CHANGES = {
    "make a folder": "os.mkdir(at('made'))",
    "make a link": "os.symlink('/etc/passwd', at('made'))",
    "make a pipe": "os.mkfifo(at('made'))",
    "make an empty file": "os.open(at('made'), os.O_CREAT)",
    "rename": "os.rename(at('victim'), at('made'))",
    "link": "os.link(at('victim'), at('made'))",
    "remove": "os.remove(at('victim'))",
    "remove a folder": "os.rmdir(at('empty'))",
    "write": "open(at('victim'), 'r+')",
    "empty": "os.truncate(at('victim'), 0)",
}
READING = {"read": "open(at('victim')).read()", "list": "os.listdir(at(''))"}
CALLS = {
    "date": "os.utime(at('victim'))",
    "open a socket": "socket.socket()",
    "open a socket for datagrams": "socket.socket(type=socket.SOCK_DGRAM)",
    "open a local socket": "socket.socket(socket.AF_UNIX)",
    "signal": "os.kill(os.getpid(), 0)",
    "change limits": "resource.prlimit(os.getppid(), resource.RLIMIT_CORE, (0, 0))",
    "be sent no signal with its group": "os.setsid()",
    "have the system send a signal": "fcntl.fcntl(0, fcntl.F_SETOWN, os.getpid())",
    "have the system send another signal": "fcntl.fcntl(0, 10, signal.SIGKILL)",
    "own a file's signals by ioctl": "fcntl.ioctl(0, 0x8901, os.getpid())",
    "set a file's flags": "call(IOCTL, os.open(os.__file__, os.O_RDONLY), 0x40086602, ctypes.byref(ctypes.c_long(0)))",
    "set a file's other flags": "call(IOCTL, os.open(os.__file__, os.O_RDONLY), 0x401C5820, bytes(28))",
    "change a clone": "call(IOCTL, os.open(os.__file__, os.O_RDONLY), 0x40049409, 0)",
    "end shared memory": "call(31, 0, 0, 0) if os.uname().machine == 'x86_64' else call(195, 0, 0, 0)",
    "become another program": "os.execv('/bin/true', ['true'])",
}
TCP = {"connect": "socket.create_connection(('127.0.0.1', port), timeout=2)"}


@pytest.mark.skipif(sys.platform != "linux", reason="Landlock and filters of system calls are Linux's")
@pytest.mark.parametrize(
    ("missing", "acts"),
    [
        ("", CHANGES | READING | CALLS | TCP),
        (NO_LANDLOCK, CHANGES | CALLS | TCP),
        (NO_FILTER, CHANGES | READING | TCP),
    ],
    ids=["no namespaces", "no namespaces and no Landlock", "no namespaces and no filter"],
)
def test_without_namespaces_nothing_is_changed_read_or_reached_either(model, tmp_path, monkeypatch, missing, acts):
    if missing == NO_FILTER and _landlock() < 4:
        pytest.skip("this system's Landlock knows no connections")
    child = tmp_path / "child.py"
    child.write_text(WITHOUT.format(more=missing))
    monkeypatch.setattr(closed_process, "CHILD", child)
    with tempfile.TemporaryDirectory() as open_to_all, socket.create_server(("127.0.0.1", 0)) as server:
        victim = Path(open_to_all, "victim")
        victim.write_text(SECRET)
        Path(open_to_all, "empty").mkdir()
        for path, mode in ((open_to_all, 0o777), (victim, 0o666), (victim.with_name("empty"), 0o777)):
            os.chmod(path, mode)
        name = found(
            model(f"""
import ctypes, errno, fcntl, os, resource, signal, socket
def call(*numbers):
    if ctypes.CDLL(None, use_errno=True).syscall(*numbers) >= 0 or ctypes.get_errno() != errno.EPERM:
        return
    raise OSError
IOCTL = 16 if os.uname().machine == "x86_64" else 29
at = {str(open_to_all)!r}.__add__("/").__add__
port = {server.getsockname()[1]}
done = []
for act, code in {acts!r}.items():
    try:
        exec(code)
        done.append(act)
    except OSError:
        pass
name = ", ".join(done) or "nothing"
""")
        )
        assert name == "nothing"
        assert sorted(os.listdir(open_to_all)) == ["empty", "victim"]


def _landlock() -> int:
    """Return the version of the system's Landlock, less than 1 where there is none."""
    return int(ctypes.CDLL(None).syscall(landlock.CREATE_RULES, None, 0, landlock.ASK_VERSION))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("x = bytearray(4 << 30)", "it needs more than 1024 MB of memory"),
        ("import os; os._exit(3)", "it ended with exit code 3 and gave no ecosystem"),
        ("import os; os.write(1, b'[]'); os._exit(0)", "it ended with exit code 0 and gave no ecosystem"),
        ("import os; os.write(3, b'[' * 100000); os._exit(0)", "gave no ecosystem"),
        ("raise SystemExit(0)", "SystemExit"),
        ("raise RuntimeError('\\x1b[31m first\\nlast')", "RuntimeError: last"),
    ],
)
def test_code_that_breaks_its_process_is_one_problem(model, body, said):
    assert said in problem(model(body))


@pytest.mark.parametrize(
    "body",
    [
        "while True: pass",
        "import os, time; os.close(1); os.close(3); time.sleep(600)",
        "import signal, time; [signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; time.sleep(600)",
        "import os, time; os.setsid(); time.sleep(600)",
    ],
    ids=["a loop", "closed output", "ignored signals", "a session of its own"],
)
def test_code_that_does_not_end_is_ended_in_time_and_leaves_nothing(model, monkeypatch, body):
    monkeypatch.setattr(closed_process, "TIME_LIMIT_SECONDS", 1.0)
    began = time.monotonic()
    problem(model(body))
    assert time.monotonic() - began < 20
    assert not [at for at in Path("/proc").glob("[0-9]*/cmdline") if b"closed_child" in _content(at) and _is_ours(at)]


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _is_ours(cmdline: Path) -> bool:
    return str(os.getpid()).encode() in _content(cmdline.with_name("stat")).split()[3:6]


def test_an_answer_without_end_is_cut_off(model, monkeypatch):
    monkeypatch.setattr(closed_process, "ANSWER_BYTES", 1 << 20)
    path = model("""
import os
for number in range(3, 60):
    try:
        while True:
            os.write(number, b"x" * 65536)
    except OSError:
        pass
name = "written"
""")
    assert "it gave more than 1 MB" in problem(path)


def test_an_answer_of_many_small_values_takes_no_memory_here(model, monkeypatch):
    """64 MB of `{},` would take 1.9 GB."""
    monkeypatch.setattr(closed_process, "ANSWER_VALUES", 1000)
    path = model("import os; os.write(3, b'[' + b'{},' * 1001 + b'{}]'); os._exit(0)")
    assert "it gave more than 1000 values" in problem(path)


def test_a_model_that_differs_each_time_is_refused(model):
    path = model("import random; name = f'N{random.random()}'")
    assert "it gives another ecosystem each time that it runs" in problem(path)


def test_the_code_sees_the_same_for_every_caller(model, monkeypatch):
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "word")
    monkeypatch.setattr("sys.argv", ["the-caller", "--its-options"])
    path = model("import os, sys; name = repr((sys.argv, sorted(os.environ), os.path.basename(os.getcwd())))")
    arguments, variables, folder = ast.literal_eval(found(path))
    assert "--its-options" not in arguments
    assert variables == ["LANG", "PATH"]
    assert folder in ("model", "root") or folder.startswith("model-"), folder


def test_what_stands_beside_the_code_can_be_imported_and_what_leads_out_cannot(model, tmp_path):
    path = model("import beside; from inner import other; name = beside.NAME + other.NAME")
    (path.parent / "beside.py").write_text("NAME = 'beside'")
    (path.parent / "inner").mkdir()
    (path.parent / "inner" / "other.py").write_text("NAME = ' and inside'")
    assert found(path) == "beside and inside"
    (tmp_path / "outside.py").write_text("NAME = 'outside'")
    (path.parent / "beside.py").unlink()
    (path.parent / "beside.py").symlink_to(tmp_path / "outside.py")
    assert "ModuleNotFoundError" in problem(path)


def test_a_folder_with_too_much_in_it_is_refused(model, monkeypatch):
    monkeypatch.setattr(model_files, "MOST_FILES", 3)
    path = model("name = 'any'")
    for number in range(3):
        (path.parent / f"{number}.txt").write_text("x")
    with pytest.raises(ModelTooLarge, match="more than 3 files"):
        ecosystem_of_python(path)
