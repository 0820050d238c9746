"""`make site`: build the documentation as a site into build/site, strictly, without a network.

The pages are those of docs/, README and a few others. A link to a file elsewhere in the repository leads to a page that
shows this file, so that the site is whole in itself.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from tests.docs.error_classes import ROOT

CONFIG = Path(__file__).with_name("zensical.toml")
BUILD = ROOT / "build"
DOCS = PurePosixPath("docs")
OTHER_PAGES = {
    "README.md": "index.md",
    "helm/README.md": "helm.md",
    "CHANGELOG.md": "changes.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security-policy.md",
}
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)\s#]+)(#[^)\s]*)?(?=\))")
CODE = re.compile(r"^```.*?^```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
NOT_SEARCHED = "---\nsearch:\n  exclude: true\n---\n"


def sources() -> dict[str, str]:
    """Return the page of the site that each file of the repository becomes, by the file's path; images too."""
    files = [path.relative_to(ROOT).as_posix() for path in sorted((ROOT / DOCS).rglob("*")) if path.is_file()]
    return {name: PurePosixPath(name).relative_to(DOCS).as_posix() for name in files} | OTHER_PAGES


def build(folder: Path = BUILD) -> int:
    """Write the pages into `folder`/docs and build `folder`/site of them; return zensical's exit code.

    It is 1 if a link leads nowhere, because the build is strict.
    """
    _write_pages(folder / "docs")
    shutil.copy(CONFIG, folder)
    shutil.rmtree(folder / "site", ignore_errors=True)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict"]
    return subprocess.run(command, cwd=folder, check=False).returncode


def _write_pages(folder: Path) -> None:
    """Write the site's pages into `folder`; what it contained before is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    pages, shown = sources(), set[str]()
    for source, page in pages.items():
        if page.endswith(".md"):
            text = (ROOT / source).read_text("utf-8")
            _write(folder / page, _with_links_of_the_site(text, source, pages, shown))
        else:
            _copy(ROOT / source, folder / page)
    for source in sorted(shown):
        _write(folder / _page_of_a_file(source), _shown(source))


def _with_links_of_the_site(text: str, source: str, pages: dict[str, str], shown: set[str]) -> str:
    """Return a page whose links to files lead to pages of the site; add the other files that it links to `shown`."""

    def changed(link: re.Match[str]) -> str:
        target = os.path.normpath(PurePosixPath(source).parent / link[1])
        if target not in pages:
            shown.add(target)
        page = pages.get(target) or _page_of_a_file(target)
        return os.path.relpath(page, PurePosixPath(pages[source]).parent) + (link[2] or "")

    return "".join(part if is_code else LINK.sub(changed, part) for is_code, part in _parts(text))


def _parts(text: str) -> Iterator[tuple[bool, str]]:
    """Yield the text in pieces, and of each whether it is code."""
    end = 0
    for code in CODE.finditer(text):
        yield False, text[end : code.start()]
        yield True, code[0]
        end = code.end()
    yield False, text[end:]


def _page_of_a_file(source: str) -> str:
    return f"source/{source}.md"


def _shown(source: str) -> str:
    """Return a page with the text of a file, or of all files in a folder."""
    path = ROOT / source
    files = [path] if path.is_file() else [file for file in sorted(path.rglob("*")) if _is_text(file)]
    sections = (f"## {file.relative_to(ROOT)}\n\n{_fenced(file)}" for file in files)
    return f"{NOT_SEARCHED}# {source}\n\n" + (_fenced(path) if path.is_file() else "\n".join(sections))


def _is_text(file: Path) -> bool:
    return file.is_file() and "__pycache__" not in file.parts


def _fenced(file: Path) -> str:
    language = {".py": "python", ".yml": "yaml"}.get(file.suffix, file.suffix[1:])
    return f"~~~~{language}\n{file.read_text('utf-8')}\n~~~~\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")


def _copy(file: Path, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, path)


if __name__ == "__main__":
    sys.exit(build())
