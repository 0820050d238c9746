"""eco.py -> plain data: `createEcosystem()` is run in a child process with an emptied environment and limits.

A model is code of whoever may push to its repository; it gets no secrets, no network of ours, no say in this process.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from config_schema.errors import Problem, ProblemsFound

TIME_LIMIT_SECONDS = 60
MEMORY_LIMIT_BYTES = 1 << 30
SHOWN_CHARACTERS = 600
MARK = "ECOSYSTEM="

# -I keeps the model's folder and the environment out of sys.path; the product's own place is passed in.
CHILD = """
import contextlib, json, runpy, sys
product, model, mark, limit = sys.argv[1:]
sys.path.insert(0, product)
with contextlib.suppress(ImportError, ValueError, OSError):
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (int(limit), int(limit)))
from config_schema.load.documents import plain
from config_schema.model import Ecosystem
with contextlib.redirect_stdout(sys.stderr):
    make = runpy.run_path(model).get("createEcosystem")
    if make is None:
        sys.exit("there is no function createEcosystem()")
    made = make()
    if not isinstance(made, Ecosystem):
        sys.exit(f"createEcosystem() gave a {type(made).__name__}, not an Ecosystem")
    data = json.dumps(plain(made))
print(mark + data)
"""


def ecosystem_of_python(path: Path) -> Any:
    """The data of the Ecosystem that `createEcosystem()` gives. Raises ProblemsFound with Python's last line if not."""
    product = str(Path(__file__).resolve().parents[2])
    arguments = [product, str(path), MARK, str(MEMORY_LIMIT_BYTES)]
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", CHILD, *arguments],
            env={"PATH": os.defpath, "LANG": "C.UTF-8"},
            cwd=path.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise _failed(path, f"it did not end within {TIME_LIMIT_SECONDS} s") from error
    lines = done.stdout.splitlines()
    if done.returncode != 0 or not lines or not lines[-1].startswith(MARK):
        said = done.stderr.strip()[-SHOWN_CHARACTERS:].splitlines()
        raise _failed(path, f"it failed: {said[-1] if said else f'exit code {done.returncode}'}")
    return json.loads(lines[-1][len(MARK) :])


def _failed(path: Path, what: str) -> ProblemsFound:
    advice = "Run it with Python to see more; it must define createEcosystem() and needs no environment or secrets"
    return ProblemsFound(str(path), [Problem(path.name, "createEcosystem()", what, advice)])
