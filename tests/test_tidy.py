"""The repository checks itself; each rule has its reason."""

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))

LONGEST = 400
"""Lines of a source file. One idea fits; a file that does not has two."""


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT / "src/jwtrail")))
def test_a_file_holds_one_idea(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LONGEST


def test_nothing_is_left_for_later_in_the_code() -> None:
    # A promise in a comment is not a plan: what is open stands in docs/design/plan.md, or is done.
    words = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError$", re.MULTILINE)
    assert [str(path) for path in SOURCES if words.search(path.read_text())] == []


def test_test_files_have_names_of_their_own() -> None:
    # pytest imports test files by base name: two of one name shadow each other.
    names = Counter(path.name for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name, count in names.items() if count > 1] == []


def test_no_template_or_data_file_is_executable() -> None:
    assert [
        str(path) for path in (ROOT / "src").rglob("*") if path.is_file() and path.stat().st_mode & 0o111
    ] == []


@pytest.mark.parametrize(
    "door", ["jwtrail", "jwtrail.fastapi", "jwtrail.runtime.worker", "jwtrail.trail.writer"]
)
def test_the_request_path_loads_nothing_heavy(door: str) -> None:
    # Import contracts see what is written; this sees what is loaded.
    heavy = ("duckdb", "sigma", "re2", "rich", "urllib3", "jwtrail.detect", "jwtrail.query", "jwtrail.web")
    code = f"import sys, {door}; print([name for name in {heavy!r} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert run.stdout.strip() == "[]"


def test_versions_agree() -> None:
    from jwtrail import __version__

    assert f'\nversion = "{__version__}"\n' in (ROOT / "pyproject.toml").read_text()
