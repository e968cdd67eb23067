"""Settings from files and the environment; the only reader of either.

Order, strongest first: keyword arguments and flags · `JWTRAIL_*` (two underscores nest: `JWTRAIL_TOKENS__ISSUER`) ·
`./jwtrail.toml` or `[tool.jwtrail]` of `./pyproject.toml` · `~/.config/jwtrail/config.toml` · defaults.
An unknown name is an error that says where it stands and what was probably meant.
"""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from jwtrail.elastic.settings import EngineSettings
from jwtrail.enrich.settings import EnrichSettings
from jwtrail.errors import ConfigError
from jwtrail.middleware.settings import HttpSettings
from jwtrail.respond.notify.settings import Channel, check_channels
from jwtrail.respond.settings import RespondSettings
from jwtrail.settings import DetectSettings, ServeSettings, ServiceSettings, Tuning
from jwtrail.ship.settings import ShipSettings
from jwtrail.structtable import Setting, rows_of
from jwtrail.tokens.settings import TokenSettings
from jwtrail.trail.settings import TrailSettings

__all__ = [
    "DetectSettings",
    "Loaded",
    "ServeSettings",
    "ServiceSettings",
    "Settings",
    "Tuning",
    "child_env",
    "is_ci",
    "load",
    "secret",
    "table",
]

MAX_FILE_BYTES = 1 << 20
"""A settings file larger than this is not one."""

SECRETS = frozenset(
    {"keys_passphrase", "state_url", "engine.password", "engine.api_key", "engine.bearer", "ship.secret"}
)
"""Never shown; each may also be given as `NAME_file`, the path of a file whose first line it is."""

_PREFIX = "JWTRAIL_"
_NOT_SETTINGS = frozenset({"JWTRAIL_SKIP_UI"})  # read by the build, not by the program


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything that can be set.

    Args:
        data: the data directory; the API and the daemon must name the same one.
        keys_passphrase: encrypts private keys at rest; empty leaves them to the file mode (secret).
        keys_passphrase_file: path of a file that holds it.
        state_url: Redis or Valkey (`redis://`, `rediss://`, `unix://`) for revocations, sign-ins and restraints of an API on
            several hosts; empty keeps them in the data directory (secret, for it may hold a password).
        state_url_file: path of a file that holds it.
        store: address of the engine (`elasticsearch://…`, `opensearch://…`) that searches and the console ask instead of the data
            directory, and whose events detection follows; empty for the data directory.
        notify: who is told about alerts: a table for each channel, with its `kind`: `webhook`, `slack`, `email` or `plugin`.
    """

    data: str = "jwtrail-data"
    keys_passphrase: str = ""
    keys_passphrase_file: str = ""
    state_url: str = ""
    state_url_file: str = ""
    store: str = ""
    service: ServiceSettings = ServiceSettings()
    tokens: TokenSettings = TokenSettings()
    http: HttpSettings = HttpSettings()
    trail: TrailSettings = TrailSettings()
    enrich: EnrichSettings = EnrichSettings()
    detect: DetectSettings = DetectSettings()
    respond: RespondSettings = RespondSettings()
    notify: dict[str, Channel] = {}
    serve: ServeSettings = ServeSettings()
    engine: EngineSettings = EngineSettings()
    ship: ShipSettings = ShipSettings()

    def __post_init__(self) -> None:
        """Refuse channels that cannot run."""
        check_channels(self.notify)

    @property
    def root(self) -> Path:
        """The data directory as an absolute path."""
        return Path(self.data).expanduser().absolute()

    @property
    def passphrase(self) -> bytes | None:
        """What unlocks the private keys, or None."""
        return self.keys_passphrase.encode() or None


class Loaded(Struct, frozen=True):
    """The settings, and for each one that is not a default where it came from (`file:line`, `JWTRAIL_…`, `argument`)."""

    settings: Settings
    origin: dict[str, str]


def load(
    overrides: Mapping[str, Any] | None = None,
    *,
    file: Path | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Loaded:
    """Read the settings.

    Args:
        overrides: dotted names (`tokens.issuer`) or nested dicts; None values are passed over.
        file: this settings file instead of those looked for.
        environ: instead of the process's environment.
        cwd: instead of the working directory.

    Raises:
        ConfigError: an unreadable file, an unknown name, a wrong type or a value out of bounds.
    """
    flat: dict[str, Any] = {}
    origin: dict[str, str] = {}
    for path, prefix in _files(file, cwd or Path.cwd()):
        _take(flat, origin, *_from_file(path, prefix))
    _take(flat, origin, *_from_environ(os.environ if environ is None else environ))
    given = {name: value for name, value in _flatten(overrides or {}).items() if value is not None}
    _take(flat, origin, given, dict.fromkeys(given, "argument"))
    for name in flat:
        _known(name, origin[name])
    _secrets_from_files(flat, origin)
    return Loaded(_convert(flat, origin), origin)


def table() -> tuple[Setting, ...]:
    """Every setting in order: the one source of the reference page, `config show` and the checks."""
    return tuple(rows_of(Settings))


def child_env(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment for a process we start: ours and `extra`."""
    return {**os.environ, **extra}


def as_environ(overrides: Mapping[str, Any]) -> dict[str, str]:
    """Settings given as arguments, in the form in which a child process finds them in its environment."""
    made = {}
    for name, value in _flatten(overrides).items():
        text = ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
        made[_PREFIX + name.upper().replace(".", "__")] = text
    return {name: text for name, text in made.items() if text != "None"}


def secret(*, file: str, env: str, where: str) -> str:
    """A secret that a setting says the place of: the first line of a file, or an environment variable.

    Raises:
        ConfigError: it cannot be read, or is empty.
    """
    found = os.environ.get(env, "").strip() if env else _first_line(file, where)
    if not found:
        place = f"the environment variable {env} is not set or" if env else f"{file} is"
        raise ConfigError(
            f"no secret: {place} empty", where=where, hint="the process of jwtrail serve must find it there"
        )
    return found


def is_ci() -> bool:
    """True where a missing engine must fail a test instead of skipping it."""
    return os.environ.get("CI", "").lower() in ("1", "true")


def _files(file: Path | None, cwd: Path) -> list[tuple[Path, str]]:
    """Settings files, weakest first, each with the table inside it."""
    if file is not None:
        return [(file, "tool.jwtrail" if file.name == "pyproject.toml" else "")]
    home = Path.home() / ".config/jwtrail/config.toml"
    found = [(home, "")] if home.is_file() else []
    if (local := cwd / "jwtrail.toml").is_file():
        found.append((local, ""))
    elif (project := cwd / "pyproject.toml").is_file():
        found.append((project, "tool.jwtrail"))
    return found


def _from_file(path: Path, prefix: str) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise ConfigError(f"settings file is larger than {MAX_FILE_BYTES} bytes", where=str(path))
        text = path.read_text(encoding="utf-8")
        document: Any = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+), column (\d+)", str(error))
        where = f"{path}:{place[1]}:{place[2]}" if place else str(path)
        message = str(error).split(" (at")[0] if place else str(error)
        raise ConfigError(message, where=where, hint="the file is TOML") from error
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"cannot read settings: {why}", where=str(path)) from error
    for part in filter(None, prefix.split(".")):
        document = document.get(part, {})
    flat = _flatten(document)
    return flat, {name: f"{path}{_place(text, prefix, name)}" for name in flat}


def _place(text: str, prefix: str, name: str) -> str:
    """`:line:column` of a dotted name in TOML text; empty when it is written in a way this does not see."""
    table_now = ""
    wanted = f"{prefix}.{name}".strip(".")
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            table_now = header[1].replace(" ", "").replace('"', "")
        elif key := re.match(r"(\s*)([\w.\"-]+)\s*=", line):
            here = f"{table_now}.{key[2]}".strip(".").replace('"', "")
            if wanted == here or wanted.startswith(here + "."):
                return f":{number}:{len(key[1]) + 1}"
    return ""


def _from_environ(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    flat, origin = {}, {}
    for variable, value in environ.items():
        if variable.startswith(_PREFIX) and variable not in _NOT_SETTINGS:
            name = variable.removeprefix(_PREFIX).lower().replace("__", ".")
            flat[name], origin[name] = value, variable
    return flat, origin


def _flatten(document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    settings = {row.name for row in table()}
    for key, value in document.items():
        name = f"{prefix}{key}"
        # A table nests, unless it is itself the value of a setting (a mapping such as `respond.rules`).
        if isinstance(value, Mapping) and name not in settings:
            flat.update(_flatten(value, name + "."))
        else:
            flat[name] = value
    return flat


def _take(flat: dict[str, Any], origin: dict[str, str], more: dict[str, Any], places: dict[str, str]) -> None:
    flat.update(more)
    origin.update(places)


def _known(name: str, where: str) -> None:
    names = [row.name for row in table()]
    if name in names:
        return
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    raise ConfigError(
        f"unknown setting {name!r}",
        where=where,
        hint=f"did you mean {close[0]}?" if close else "jwtrail config show lists every setting",
    )


def _secrets_from_files(flat: dict[str, Any], origin: dict[str, str]) -> None:
    for name in SECRETS:
        path = flat.get(f"{name}_file")
        if not path or flat.get(name):
            continue
        flat[name] = _first_line(path, origin[f"{name}_file"])
        origin[name] = origin[f"{name}_file"]


def _first_line(path: str, where: str) -> str:
    try:
        return Path(path).expanduser().read_text(encoding="utf-8").split("\n", 1)[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        hint = "the user that runs jwtrail serve must be able to read it"
        raise ConfigError(f"cannot read the secret: {error}", where=where, hint=hint) from error


def _convert(flat: dict[str, Any], origin: dict[str, str]) -> Settings:
    nested: dict[str, Any] = {}
    for name, value in flat.items():
        room, _, leaf = name.rpartition(".")
        target = nested
        for part in filter(None, room.split(".")):
            target = target.setdefault(part, {})
        target[leaf] = _listed(name, value) if isinstance(value, str) else value
    try:
        return msgspec.convert(nested, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`").split("[")[0]
        raise ConfigError(message, where=origin.get(name, name), hint=_wanted(name)) from error


def _wanted(name: str) -> str:
    """Which setting it is, and the words it may be when there are few."""
    words = next((row.type for row in table() if row.name == name and row.type.startswith("`")), "")
    return ": ".join(filter(None, (name and f"setting {name}", words)))


def _decode(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value).expanduser()
    raise NotImplementedError(kind)


def _listed(name: str, value: str) -> Any:
    """The environment has only texts: a list is written with commas."""
    row = next(row for row in table() if row.name == name)
    return (
        [part.strip() for part in value.split(",") if part.strip()] if row.type.startswith("list") else value
    )
