"""A disk that keeps only what it was told to keep: what a power cut may leave, worked out from the calls of this process.

POSIX promises that a file's bytes are there after `fsync` or `fdatasync` of the file, and a name after `fsync` of its
directory, and nothing else. Journalling file systems keep more than that, most of the time, so a real power cut does not catch a
build that relies on it. This does: after each sync it notes what would be left if the power went now.
"""

import os
import stat
import threading
from pathlib import Path

__all__ = ["Cut", "Disk"]


class Cut:
    """A moment at which the power may go.

    Args:
        names: for each directory that was synced its entries then, name to inode.
        contents: for each inode its bytes when it was synced.
        live: for each directory its entries now, synced or not.
        promised: what was acknowledged by then.
    """

    def __init__(self, names, contents, live, promised):
        self.names, self.contents, self.live, self.promised = names, contents, live, promised

    def leave(self, root, target, *, keep_names):
        """Make at `target` what is left of `root`.

        Args:
            keep_names: directories were written by chance, files were not; else neither was.
        """
        entries = self.live if keep_names else self.names
        self._directory(entries, root.stat().st_ino, target)

    def _directory(self, entries, inode, target):
        target.mkdir(mode=0o700)
        for name, (child, is_directory) in entries.get(inode, {}).items():
            if is_directory:
                self._directory(entries, child, target / name)
            else:
                (target / name).write_bytes(self.contents.get(child, b""))


class Disk:
    """Stands between this process and its disk.

    Args:
        root: the data directory; exists.
        promised: a list that grows as events are acknowledged.
        forget: which syncs a deliberately broken build leaves out or puts off: `fdatasync`, `directories`, `order` (it is
            synced only after the checkpoint).
    """

    def __init__(self, monkeypatch, root, promised, forget=""):
        self.cuts = []
        self._root, self._promised, self._forget = root, promised, forget
        self._names, self._contents, self._late = {}, {}, []
        self._held = {}  # a descriptor for each file that was synced: so no other gets its inode
        self._lock = threading.RLock()
        for path in (root, *(path for path in root.rglob("*") if path.is_dir())):
            self._names[path.stat().st_ino] = _entries(path)
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._wrap(name, getattr(os, name)))

    def _wrap(self, name, call):
        def synced(fd):
            call(fd)
            path = Path(f"/proc/self/fd/{fd}").readlink()
            if path.is_relative_to(self._root):
                with self._lock:
                    self._synced(name, path, os.fstat(fd))

        return synced

    def _synced(self, name, path, found):
        is_directory = stat.S_ISDIR(found.st_mode)
        left_out = is_directory if self._forget == "directories" else name == self._forget
        if self._forget == "order" and path.name.startswith("order.ndjson"):
            self._hold(found.st_ino, path)
            self._late.append((found.st_ino, path.read_bytes()))
            return
        if left_out:
            return
        if is_directory:
            self._names = self._names | {found.st_ino: _entries(path)}
        else:
            self._hold(found.st_ino, path)
            self._contents = self._contents | {found.st_ino: path.read_bytes()}
        self._note()
        if is_directory and path.name == "tlog" and self._late:
            self._contents = self._contents | dict(self._late)
            self._late.clear()
            self._note()

    def _hold(self, inode, path):
        if inode not in self._held:
            self._held[inode] = os.open(path, os.O_RDONLY)

    def close(self):
        for fd in self._held.values():
            os.close(fd)

    def _note(self):
        live = {}
        for path in (self._root, *(path for path in self._root.rglob("*") if path.is_dir())):
            live[path.stat().st_ino] = _entries(path)
        self.cuts.append(Cut(self._names, self._contents, live, tuple(self._promised)))


def _entries(directory):
    with os.scandir(directory) as found:
        return {entry.name: (entry.inode(), entry.is_dir()) for entry in found}
