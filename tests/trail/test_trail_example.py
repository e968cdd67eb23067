"""A reader that knows only docs/formats reads what we write, and sees what was altered."""

import ast
import subprocess
import sys
from pathlib import Path

import duckdb

from jwtrail import clock
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.settings import TrailSettings

EXAMPLE = Path(__file__).parents[2] / "examples/read_trail.py"


def run(layout, *more):
    return subprocess.run(
        [sys.executable, EXAMPLE, layout.root, *more], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_example_imports_nothing_of_ours_and_stays_short():
    text = EXAMPLE.read_text()
    imports = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {alias.name for node in imports for alias in node.names} | {
        getattr(node, "module", None) for node in imports
    }
    assert not any(name and name.startswith("jwtrail") for name in names)
    assert sum(bool(line.strip()) for line in text.splitlines()) <= 100


def test_a_stranger_reads_every_sealed_event(layout, make_event, fill):
    fill(40)
    odd = {
        "message": 'quote " and \\ and ü 😀',
        "labels": {"b": "2", "a": 'x"'},
        "jwt_scope": ("a:b", 'c"'),
        "jwt_known": True,
        "jwt_exp": clock.iso(0),
        "jwt_unverified_sub": "s",
        "source_port": 0,
        "jwt_claims": {"tenant": "t"},
    }
    from jwtrail.trail.writer import TrailWriter

    writer = TrailWriter(layout)
    writer.put(make_event(1000, **odd))
    writer.close()
    with Keeper(layout, TrailSettings(seal_events=1)) as keeper:
        while keeper.step(clock.now_us()) or keeper.sealing:
            pass
    size = TrailReader(layout).checkpoint().size
    done = run(layout, "3")
    assert done.returncode == 0, done.stderr
    public, personal, entry, told, signed = done.stdout.splitlines()
    assert public.startswith('{"@timestamp":')
    assert '"user.id"' in personal
    assert bytes.fromhex(entry) == TrailReader(layout).entries(3, 3)[0]
    assert told == f"{size} sealed events give their hashes; the signed checkpoint covers {size}"
    assert signed == f"the root of the first {size} is the signed one"


def test_a_stranger_sees_an_altered_row(sealed):
    path = next(iter(sealed.segments.iterdir()))
    changed = path.with_suffix(".new")
    select = f"""SELECT * REPLACE (coalesce("user.id", 'u-evil') AS "user.id") FROM '{path}'"""
    duckdb.sql(f"COPY ({select}) TO '{changed}' (FORMAT parquet)")
    changed.rename(path)
    done = run(sealed)
    assert done.returncode == 1
    assert "was altered" in done.stderr


def test_the_classes_of_the_example_are_those_of_the_catalogue():
    import importlib.util

    from jwtrail.ecs import CATALOGUE

    spec = importlib.util.spec_from_file_location("read_trail", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, field in CATALOGUE.items():
        if field.klass == "derived":
            assert name in module.DERIVED
        else:
            assert module.is_personal(name) is (field.klass == "personal"), name
        assert (name in module.FLATTENED) is (field.type == "flattened")
