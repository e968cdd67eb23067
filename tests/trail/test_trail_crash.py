"""Each call of the keeper that touches the disk fails once, or is the last thing that happened: the trail comes back whole."""

import errno
import os
import shutil
from contextlib import suppress

import pytest

from jwtrail import clock
from jwtrail.ecs import event_for
from jwtrail.errors import WriteError
from jwtrail.trail import keeper
from jwtrail.trail.fsck import verify
from jwtrail.trail.keeper import Keeper
from jwtrail.trail.layout import Layout
from jwtrail.trail.manifest import write_manifest
from jwtrail.trail.reader import TrailReader
from jwtrail.trail.settings import TrailSettings
from jwtrail.trail.writer import TrailWriter

CALLS = ("fsync", "fdatasync", "rename", "write", "unlink", "rmdir", "ftruncate")
STRIDE = 9
"""Every ninth call, from another one for each kind of failure: all of them, one by one, take a minute."""


class Crash(BaseException):
    """The process ends here: nothing behind this call happens."""


class Disk:
    """Counts the calls of this process to the disk, and fails one of them, or every one from there."""

    def __init__(self, monkeypatch, fail_at, failure):
        self.count = 0
        self.failed = ""
        self._fail_at = fail_at
        self._failure = failure
        for name in CALLS:
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name, call):
        def counted(*args, **kwargs):
            self.count += 1
            if self.count == self._fail_at or (self.failed and self._failure is Crash):
                self.failed = name
                raise self._failure(errno.EIO, f"injected into {name}")
            return call(*args, **kwargs)

        return counted


def write(layout, count):
    writer = TrailWriter(layout)
    for number in range(count):
        writer.put(event_for("login", user_id=f"u{number}"))
    writer.close()


def keep(layout, seal_events=8, merge_events=1000):
    """What a daemon does from its start to its end."""
    settings = TrailSettings(
        seal_events=seal_events,
        merge_events=merge_events,
        checkpoint_seconds=0,
        mirror=layout.root.parent / f"{layout.root.name}.mirror",
    )
    with Keeper(layout, settings) as keeper:
        while keeper.step(clock.now_us()) or keeper.sealing or keeper.merging:
            pass
        assert not keeper.findings


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A sealed part, a head, and a log that no keeper has seen."""
    layout = Layout(tmp_path_factory.mktemp("start") / "data")
    write(layout, 8)
    keep(layout)
    write(layout, 3)
    keep(layout, seal_events=100)
    write(layout, 4)
    return layout


def copied(start, root):
    shutil.copytree(start.root, root)
    shutil.copy(start.root.parent / "data.mirror", root.parent / f"{root.name}.mirror")
    return Layout(root)


def indexes(layout):
    reader = TrailReader(layout)
    return reader.entries(0, reader.size - 1)


@pytest.fixture(scope="module")
def small_segments(tmp_path_factory, of_one_day):
    """Seven segments, and a log that makes the eighth, with which they are merged."""
    layout = Layout(tmp_path_factory.mktemp("small") / "data")
    for _ in range(7):
        write(layout, 2)
        keep(layout, seal_events=1)
    write(layout, 2)
    return layout


def test_a_manifest_that_was_refused_and_stands_all_the_same_keeps_its_files(
    small_segments, monkeypatch, tmp_path
):
    """The directory cannot be synced after the rename: the call fails, and the new manifest is there."""
    layout = copied(small_segments, tmp_path / "copy")

    def replaced_and_not_synced(path, manifest):
        write_manifest(path, manifest)
        if len(manifest.segments) == 1:
            raise WriteError("cannot write: injected", where=str(path))

    with monkeypatch.context() as patch, suppress(WriteError):
        patch.setattr(keeper, "write_manifest", replaced_and_not_synced)
        keep(layout, seal_events=1)
    assert len(TrailReader(layout).segments()) == 1
    assert verify(layout.root).ok
    keep(layout, seal_events=1)
    (one,) = TrailReader(layout).segments()
    assert [path.name for path in layout.segments.iterdir()] == [one.file]


@pytest.mark.parametrize("failure", [OSError, Crash])
def test_whatever_call_fails_while_segments_are_merged_the_trail_is_whole(
    small_segments, monkeypatch, failure, tmp_path
):
    fail_at, merged = (2 if failure is OSError else 5), 0
    while True:
        layout = copied(small_segments, tmp_path / str(fail_at))
        with monkeypatch.context() as patch:
            disk = Disk(patch, fail_at, failure)
            with suppress(Crash, WriteError):
                keep(layout, seal_events=1)
        if not disk.failed:
            break
        report = verify(layout.root, mirror=tmp_path / f"{fail_at}.mirror")
        assert report.ok, (fail_at, disk.failed, report.findings)
        merged += len(TrailReader(layout).segments()) == 1
        keep(layout, seal_events=1)
        report = verify(layout.root, mirror=tmp_path / f"{fail_at}.mirror")
        assert (report.ok, report.size) == (True, 8 * 4), (fail_at, disk.failed, report.findings)
        (one,) = TrailReader(layout).segments()
        assert [path.name for path in layout.segments.iterdir()] == [one.file]
        fail_at += STRIDE
    assert merged, "some calls fail after the merge"


@pytest.mark.parametrize("failure", [OSError, Crash])
def test_whatever_call_fails_the_trail_is_whole(start, monkeypatch, failure, tmp_path):
    fail_at, tried = (1 if failure is OSError else 3), set()
    while True:
        layout = copied(start, tmp_path / str(fail_at))
        with monkeypatch.context() as patch:
            disk = Disk(patch, fail_at, failure)
            with suppress(
                Crash, WriteError
            ):  # a failing disk has one name; anything else is a failure of the test
                keep(layout)
        if not disk.failed:
            break
        tried.add(disk.failed)
        before = indexes(layout)
        keep(layout)
        report = verify(layout.root, mirror=tmp_path / f"{fail_at}.mirror")
        assert report.ok, (fail_at, disk.failed, report.findings)
        assert report.size == 8 + 3 + 4 + 3 * 2
        assert indexes(layout)[: len(before)] == before, "an index once given stays"
        assert {path.suffix for path in layout.segments.iterdir()} == {".parquet"}
        fail_at += STRIDE
    assert fail_at > 40
    assert tried >= {"fsync"}
