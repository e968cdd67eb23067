"""The command line as a whole: what it loads, how it ends, what it says when something is wrong."""

import subprocess
import sys

import click
import pytest

from jwtrail.cli.exits import BROKEN, ERROR, OK, USAGE, code_of, one_line
from jwtrail.cli.main import COMMANDS, cli
from jwtrail.errors import (
    ConfigError,
    CorruptionError,
    IntegrityError,
    JwtrailError,
    KqlError,
    ProofError,
    QueryError,
    StateError,
)

HEAVY = ("duckdb", "rich", "sigma", "cryptography", "starlette", "uvicorn", "sqlite3", "msgspec")


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_the_overview_loads_nothing_heavy(argument):
    code = (
        "import sys\nfrom jwtrail.__main__ import main\ntry:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    run = subprocess.run([sys.executable, "-c", code, argument], capture_output=True, text=True, check=True)
    assert run.stderr.strip() == "[]"
    assert run.stdout


def test_every_command_exists_and_explains_itself(run):
    for name in COMMANDS:
        answer = run(name, "--help")
        assert answer.exit_code == OK, (name, answer.output)
        assert answer.output.startswith("Usage: jwtrail")


def test_no_command_takes_a_token_on_the_command_line():
    # Every user of the machine sees the arguments of every process.
    context = click.Context(cli)

    def parameters(command):
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                yield from parameters(command.get_command(context, name))
        else:
            yield from command.params

    assert not [
        one.name for one in parameters(cli) if "token" in (one.name or "") or "secret" in (one.name or "")
    ]


def test_an_unknown_command_is_a_usage_error(run):
    assert run("serach").exit_code == USAGE


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (JwtrailError("x"), ERROR),
        (StateError("x"), ERROR),
        (ConfigError("x"), USAGE),
        (QueryError("x"), USAGE),
        (KqlError("x", text="x", start=0), USAGE),
        (IntegrityError("x"), BROKEN),
        (ProofError("x"), BROKEN),
        (CorruptionError("x"), BROKEN),
    ],
)
def test_exit_codes(error, code):
    assert code_of(error) == code


def test_an_error_is_one_line_and_a_hint():
    error = ConfigError("unknown setting", where="jwtrail.toml:3:1", hint="did you mean data?")
    assert one_line(error) == "jwtrail: error: jwtrail.toml:3:1: unknown setting\n  hint: did you mean data?"


def test_an_error_about_hostile_text_is_harmless():
    text = one_line(KqlError("no field \x1b[2Jx", text="\x1b[2Jx: 1", start=0, end=5))
    assert "\x1b" not in text
    assert "\\x1b" in text
    lines = text.splitlines()
    assert lines[2].strip() == "^^^^^"


def test_a_missing_directory_says_what_to_do(run):
    answer = run("search", "--data", "nowhere")
    assert answer.exit_code == USAGE
    assert "no such data directory" in answer.stderr
    assert "jwtrail demo" in answer.stderr
    assert answer.stdout == ""


def test_a_reader_that_leaves_is_no_error(data):
    script = f"{sys.executable} -m jwtrail search --data {data} --format ndjson | head -c 10; exit ${{PIPESTATUS[0]}}"
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False)
    assert run.stderr == ""
    assert run.returncode == OK


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(run, shell):
    answer = run("completion", shell)
    assert answer.exit_code == OK
    assert "_JWTRAIL_COMPLETE" in answer.stdout


def test_no_line_of_a_list_of_commands_is_cut_off():
    context = click.Context(cli, terminal_width=100)
    found = ((name, cli.get_command(context, name)) for name in COMMANDS)
    groups = {name: command for name, command in found if isinstance(command, click.Group)}
    assert "alerts" in groups
    for name, group in groups.items():
        listed = click.Context(group, context, name, terminal_width=100).get_help().partition("Commands:")[2]
        assert listed, name
        assert "..." not in listed, name
