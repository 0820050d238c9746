"""The images that a release stands on, from base_images.txt: `check` that each has a digest, `pin` them, `get` one.

A tag can be moved to another image, a digest cannot: what was reviewed is what is built on.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

FILE = Path(__file__).with_name("base_images.txt")
PINNED = re.compile(r"[^\s@]+@sha256:[0-9a-f]{64}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def images(text: str) -> dict[str, str]:
    """Return the image of each place (`merge_jobs/Dockerfile:BASE_IMAGE`), comments left out."""
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return {line.split()[0]: line.split()[1] for line in lines}


def unpinned(found: dict[str, str]) -> list[str]:
    """Return a text for each image that has no digest."""
    return [
        f"{FILE.name}: {place}: {image} has no digest. Run make pin-images, review what it writes, and commit it"
        for place, image in found.items()
        if not PINNED.fullmatch(image)
    ]


def pinned(text: str) -> str:
    """Return the file's text with the digest that each tag has now. Raises CalledProcessError or ValueError."""
    for place, image in images(text).items():
        tag = image.partition("@")[0]
        text = text.replace(f"{place} {image}", f"{place} {tag}@{_digest(tag)}")
    return text


def _digest(tag: str) -> str:
    """Return the digest of the whole image, of all its architectures, as the registry gives it."""
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", tag]
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.strip()
    if not DIGEST.fullmatch(found):
        raise ValueError(f"the registry gives no digest for {tag}: {found!r}")
    return found


def main() -> int:
    """Run the action of the command line, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("check", "pin", "get"))
    parser.add_argument("place", nargs="?")
    given = parser.parse_args()
    text = FILE.read_text("utf-8")
    if given.action == "pin":
        FILE.write_text(pinned(text), "utf-8")
        return 0
    found = images(text)
    wanted = found if given.place is None else {given.place: found[given.place]}
    problems = unpinned(wanted)
    sys.stderr.writelines(f"{one}\n" for one in problems)
    if given.action == "get" and not problems:
        sys.stdout.writelines(f"{image}\n" for image in wanted.values())
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
