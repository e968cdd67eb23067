"""Settings: where they come from, which one wins, and how a bad one is refused."""

from pathlib import Path

import pytest

from jwtrail import config
from jwtrail.errors import ConfigError


def load(
    tmp_path: Path,
    toml: str = "",
    *,
    name: str = "jwtrail.toml",
    environ: dict[str, str] | None = None,
    **overrides: object,
):
    (tmp_path / name).write_text(toml)
    return config.load(overrides, environ=environ or {}, cwd=tmp_path)


@pytest.fixture(autouse=True)
def no_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


def test_arguments_beat_environment_beats_file_beats_default(tmp_path: Path) -> None:
    toml = '[tokens]\nissuer = "file"\naudience = "file"\nclient_id = "file"\n'
    environ = {"JWTRAIL_TOKENS__AUDIENCE": "env", "JWTRAIL_TOKENS__CLIENT_ID": "env", "OTHER": "x"}
    loaded = load(tmp_path, toml, environ=environ, **{"tokens.client_id": "argument", "tokens.issuer": None})
    tokens = loaded.settings.tokens
    assert (tokens.issuer, tokens.audience, tokens.client_id, tokens.leeway_s) == (
        "file",
        "env",
        "argument",
        30,
    )
    assert loaded.origin == {
        "tokens.issuer": f"{tmp_path}/jwtrail.toml:2:1",
        "tokens.audience": "JWTRAIL_TOKENS__AUDIENCE",
        "tokens.client_id": "argument",
    }


def test_a_table_in_pyproject_counts_unless_there_is_a_file_of_its_own(tmp_path: Path) -> None:
    loaded = load(
        tmp_path, '[project]\nname = "x"\n[tool.jwtrail.tokens]\nissuer = "project"\n', name="pyproject.toml"
    )
    assert loaded.settings.tokens.issuer == "project"
    assert load(tmp_path, "[tokens]\naudience = 'own'\n").settings.tokens.issuer == "jwtrail"


def test_the_environment_writes_lists_with_commas_and_numbers_as_text(tmp_path: Path) -> None:
    environ = {
        "JWTRAIL_HTTP__TRUSTED_PROXIES": "10.0.0.0/8, 192.0.2.1",
        "JWTRAIL_TOKENS__LEEWAY_S": "5",
        "JWTRAIL_SERVE__CONSOLE": "false",
    }
    settings = load(tmp_path, environ=environ).settings
    assert settings.http.trusted_proxies == ("10.0.0.0/8", "192.0.2.1")
    assert settings.tokens.leeway_s == 5
    assert settings.serve.console is False


@pytest.mark.parametrize(
    ("toml", "where", "message"),
    [
        ("[tokens]\nisuer = 'x'\n", "jwtrail.toml:2:1", "did you mean tokens.issuer?"),
        ("[tokens]\n  leeway_s = 'soon'\n", "jwtrail.toml:2:3", "Expected `int`"),
        ("[tokens]\nleeway_s = 5000\n", "tokens.leeway_s", "5000"),
        ("[tokens\n", "jwtrail.toml:1:8", "TOML"),
        ("zzz = 1\n", "jwtrail.toml:1:1", "config show"),
        ("[http]\ntrusted_proxies = ['10.0.0.0/99']\n", "http.trusted_proxies", "10.0.0.0/99"),
        ("[tokenz]\nissuer = 'x'\n", "jwtrail.toml:2:1", "did you mean tokens.issuer?"),
    ],
)
def test_a_bad_setting_is_refused_with_its_place_and_a_hint(
    tmp_path: Path, toml: str, where: str, message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, toml)
    assert caught.value.where.endswith(where)
    assert message in str(caught.value)


def test_a_bad_variable_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="JWTRAIL_TOKENZ__ISSUER"):
        load(tmp_path, environ={"JWTRAIL_TOKENZ__ISSUER": "x"})


def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("correct horse\nsecond line\n")
    settings = load(tmp_path, environ={"JWTRAIL_KEYS_PASSPHRASE_FILE": str(tmp_path / "secret")}).settings
    assert settings.passphrase == b"correct horse"
    with pytest.raises(ConfigError, match="cannot read the secret"):
        load(tmp_path, environ={"JWTRAIL_KEYS_PASSPHRASE_FILE": str(tmp_path / "none")})


def test_an_unreadable_file_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml"):
        config.load(file=tmp_path / "none.toml")
    (tmp_path / "big.toml").write_text("#" * (config.MAX_FILE_BYTES + 1))
    with pytest.raises(ConfigError, match="larger"):
        config.load(file=tmp_path / "big.toml")


def test_every_setting_has_a_meaning_and_a_type() -> None:
    rows = config.table()
    assert len(rows) > 40
    assert [row.name for row in rows if not row.doc or not row.type] == []
    types = {row.name: row.type for row in rows}
    assert types["respond.max_minutes"] == "int from 1 to 10,080"
    assert types["http.bad_token"] == "`reject` or `pass` or `observe`"
    assert types["trail.mirror"] == "path"
    assert not [text for text in types.values() if any(mark in text for mark in "[].")]


def test_a_list_of_numbers_from_the_environment(tmp_path: Path) -> None:
    settings = load(tmp_path, environ={"JWTRAIL_ENRICH__HOSTING_ASNS": "64500, 64501"}).settings
    assert settings.enrich.hosting_asns == (64_500, 64_501)
