"""The event record: its order is its format, its texts are harmless, its catalogue is read off it."""

import json
from base64 import urlsafe_b64encode

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jwtrail import clock, ecs
from jwtrail.ecs import catalogue, reasons
from jwtrail.ecs.clean import MAX_ITEMS, MAX_TEXT, clean, redact_query
from jwtrail.ecs.event import DOCS

TEXTS = st.text(alphabet=st.characters(), max_size=60)


def test_fields_stand_in_canonical_order() -> None:
    for klass in ("public", "personal", "derived"):
        names = [field.name for field in ecs.CATALOGUE.values() if field.klass == klass]
        assert names == sorted(names)
        assert len(names) > 4
    assert set(DOCS) == set(ecs.CATALOGUE)


def test_every_field_of_the_vocabulary_has_a_class_that_protects_people() -> None:
    personal = {field.name for field in ecs.CATALOGUE.values() if field.klass == "personal"}
    for prefix in ("user.", "source.", "client.", "user_agent.", "url.", "related.", "jwt.unverified."):
        mine = {name for name in ecs.CATALOGUE if name.startswith(prefix)}
        assert mine, prefix
        assert mine <= personal
    assert {
        "message",
        "jwt.jti",
        "jwt.fingerprint",
        "jwt.claims",
        "jwtrail.subject.ids",
        "jwtrail.object.id",
    } <= personal


@given(user=TEXTS, path=TEXTS, leaves=st.dictionaries(TEXTS, TEXTS, max_size=5), reason=TEXTS)
def test_parts_are_canonical_json_whatever_the_client_sent(
    user: str, path: str, leaves: dict[str, str], reason: str
) -> None:
    event = ecs.event_for("http-request", user_id=user, url_path=path, jwt_claims=leaves, event_reason=reason)
    public, personal = ecs.encode_parts(event)
    for part in (public, personal):
        value = json.loads(part)
        # RFC 8785 for objects of texts, integers and lists: sorted names, no white space, UTF-8 kept.
        ordered = dict(sorted(value.items(), key=lambda pair: pair[0].encode("utf-16-be")))
        if "jwt.claims" in ordered:
            ordered["jwt.claims"] = dict(
                sorted(ordered["jwt.claims"].items(), key=lambda pair: pair[0].encode("utf-16-be"))
            )
        assert part == json.dumps(ordered, ensure_ascii=False, separators=(",", ":")).encode()
        assert not any(byte < 0x20 for byte in part)


def test_a_document_and_back() -> None:
    event = ecs.event_for("login", user_name="kim", related_ip=["192.0.2.1"], jwt_known=True, process_pid=7)
    assert ecs.decode_document(ecs.document(event)) == event
    assert ecs.document(event)["related.ip"] == ("192.0.2.1",)


def test_a_wrong_type_is_named_with_its_path() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"process\.pid"):
        ecs.decode_document({"@timestamp": clock.iso(0), "event.id": "x", "process.pid": "seven"})


def test_an_unknown_field_cannot_be_written() -> None:
    with pytest.raises(TypeError, match="user_idd"):
        ecs.event_for("login", user_idd="x")


@pytest.mark.parametrize(
    ("dirty", "shown"),
    [
        ("a\r\nb", r"a\x0d\x0ab"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\u202eevil", r"\u202eevil"),
        ("\ud800", r"\ud800"),
        ("\x85", r"\x85"),
    ],
)
def test_what_could_break_a_line_or_a_terminal_is_made_visible_and_flagged(dirty: str, shown: str) -> None:
    flags: set[str] = set()
    assert clean(dirty, flags) == shown
    assert flags == {"ctrl_chars"}


def test_long_texts_are_cut_and_flagged() -> None:
    flags: set[str] = set()
    assert len(clean("x" * (MAX_TEXT + 1), flags)) == MAX_TEXT
    assert flags == {"truncated"}
    assert clean("plain é 😀", set()) == "plain é 😀"
    event = ecs.event_for("login", related_user=[str(n) for n in range(MAX_ITEMS + 1)])
    assert event.related_user is not None
    assert len(event.related_user) == MAX_ITEMS
    assert event.jwtrail_flags == ("truncated",)


def test_query_values_are_redacted_unless_allowed() -> None:
    flags: set[str] = set()
    assert redact_query("page=2&secret=hunter2&flag", frozenset({"page"}), flags) == "page=2&secret=…&…"
    assert flags == set()
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc"
    assert "eyJ" not in redact_query(f"page={token}&{token}=1", frozenset({"page"}), flags)
    assert flags == {"token_in_url"}


@given(st.text(max_size=300))
def test_redaction_never_raises(query: str) -> None:
    assert isinstance(redact_query(query, frozenset({"a"}), set()), str)


def test_ids_sort_by_time_and_carry_version_7() -> None:
    made = [ecs.uuid7() for _ in range(2000)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {one[14] for one in made} == {"7"}


def test_entry_is_81_bytes_and_hides_the_person() -> None:
    entry = ecs.entry_of("01a20958-0b8c-7d0c-880a-f2e6efb4966b", b"{}", b'{"user.id":"kim"}', b"s" * 16)
    assert len(entry) == ecs.ENTRY_SIZE
    assert entry[0] == 1
    assert b"kim" not in entry
    with pytest.raises(ValueError, match="salt"):
        ecs.entry_of("01a20958-0b8c-7d0c-880a-f2e6efb4966b", b"{}", b"{}", b"short")


def test_reasons_are_a_closed_list_with_a_class_each() -> None:
    assert {reason.klass for reason in ecs.REASONS.values()} == set(reasons.ReasonClass.__args__)
    assert len(ecs.REASONS) > 70
    assert all(code == reason.code and reason.doc for code, reason in ecs.REASONS.items())


def test_names_resolve_and_near_misses_help() -> None:
    assert catalogue.resolve("jwt.claims.tenant") == (ecs.CATALOGUE["jwt.claims"], "tenant")
    assert catalogue.resolve("jwt.claims.") is None
    assert ecs.near_miss("user.idd") == "did you mean user.id?"
    assert ecs.near_miss("zzzz") == ""


def test_the_time_form_sorts_as_time() -> None:
    assert clock.iso(12) == "1970-01-01T00:00:00.000012Z"
    assert clock.parse_iso("2026-11-23T16:46:55.5+09:00") == clock.parse_iso("2026-11-23T07:46:55.5Z")
    with pytest.raises(ValueError, match="range"):
        clock.iso(-1)


@given(st.integers(min_value=0, max_value=253_402_300_799_999_999))
def test_the_time_form_and_back(us: int) -> None:
    assert clock.parse_iso(clock.iso(us)) == us


def test_a_forked_process_makes_other_ids() -> None:
    import os

    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, ecs.uuid7(1_000_000).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(read, 36).decode()[-16:] != ecs.uuid7(1_000_000)[-16:]


HEADER = "eyJhbGciOiJIUzI1NiJ9"
TOKEN = f"{HEADER}.e30.c2lnbmF0dXJl"


def lead(space: str) -> str:
    """A token whose header and payload begin with white space."""
    parts = (space + '{"alg":"HS256"}', space + "{}", "signature")
    return ".".join(urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)


def again(text: str, glued: str = "") -> str:
    return urlsafe_b64encode((glued + text).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"Bearer {HEADER}.e30.c2ln and more", "Bearer [jwt] and more"),
        (f"x{HEADER}.e30.c2ln", "x[jwt]"),
        (f"{HEADER}.e30.", "[jwt]"),
        ("eyAiYWxnIjoiSFMyNTYiIH0.e30.c2ln", "[jwt]"),  # { "alg" …
        ("ewogImFsZyI6ICJIUzI1NiIgfQ.e30.c2ln", "[jwt]"),  # a line feed after the brace
        # white space in front of the object, in each place of a group
        *((f"x {lead(space)} y", "x [jwt] y") for space in (" ", "\t", "\n", "\r", "  ", "\t ", "\r\n")),
        (f"x {lead(' ' * 40)} y", f"x {'ICAg' * 13}[jwt] y"),
        # behind what a text passes through
        *(
            (f"x {TOKEN.replace('.', dot)}", "x [jwt]")
            for dot in (
                "%2e",
                "%2E",
                "%252E",
                "&#46;",
                "&#046",
                "&#x2e;",
                "&period;",
                "\\u002e",
                "\\x2e",
                "\\\\u002E",
            )
        ),
        (f"x {TOKEN}".replace("e", "%65"), "[jwt]"),
        (f"x {TOKEN}".replace("e", "%2565"), "[jwt]"),
        (f"x {TOKEN}".replace("e", "&#101;"), "[jwt]"),
        (f"x {TOKEN}".replace("e", "\\u0065"), "[jwt]"),
        (f"x {lead(' ').replace('.', '%2e')}", "x [jwt]"),
        # and base64 of it, from whatever place on
        *((f"x {again(TOKEN, glued)} y", "x [jwt] y") for glued in ("", "B", "Be", "Bearer ")),
        # words that only look like it
        ("IHsome-long-words.example.com", "IHsome-long-words.example.com"),
        ("100%2e%2e/../&#46; and \\u002e", "100%2e%2e/../&#46; and \\u002e"),
        (
            again("nothing at all of the kind, but long enough for it"),
            again("nothing at all of the kind, but long enough for it"),
        ),
        ("viewobjects-1234567.example.com", "viewobjects-1234567.example.com"),
        (HEADER, HEADER),
        ("Mozilla/5.0 (X11; Linux x86_64) Firefox/141.0", "Mozilla/5.0 (X11; Linux x86_64) Firefox/141.0"),
    ],
)
def test_a_token_is_cut_out_wherever_it_stands(text: str, kept: str) -> None:
    flags: set[str] = set()
    assert clean(text, flags) == kept
    assert ("token_redacted" in flags) == (text != kept)


@pytest.mark.parametrize(
    "bomb",
    [
        "eyJ" * 400_000,
        "eyJaaaaaaaaaaaaa." * 60_000,
        "ewo" * 400_000,
        "e" * 1_000_000,
        "%65yJ" * 200_000,
        "IHs" * 400_000,
        "IHs" * 300_000 + ".",
        "ZXlK" * 300_000,
        "&#46;" * 200_000,
        "\\x65" * 200_000,
        "%25" * 300_000,
    ],
)
def test_no_text_takes_long(bomb: str) -> None:
    began = clock.monotonic_ns()
    clean(bomb, set())
    redact_query(bomb, frozenset(), set())
    assert clock.monotonic_ns() - began < 500_000_000  # it was seconds; a slow machine needs some ten ms


@given(
    st.lists(
        st.one_of(
            st.text(max_size=40),
            st.sampled_from(
                [
                    "eyJhbGciOiJIUzI1NiJ9.e30.c2ln",
                    "ewords",
                    "\\",
                    "\x7f",
                    "%65yJhbGciOiJIUzI1NiJ9.e30.c2ln",
                    lead("\t"),
                    lead("  "),
                    again(TOKEN, "B"),
                    "&#101;" + TOKEN[1:],
                    "é",
                    "\ud800",
                    "x" * 1025,
                ]
            ),
        ),
        min_size=3,
        max_size=3,
    )
)
def test_an_event_holds_what_cleaning_each_text_gives(texts: list[str]) -> None:
    """The quick look at the whole event lets nothing pass that the look at each text would change."""
    flags: set[str] = set()
    one, two, three = (clean(text, flags) for text in texts)
    event = ecs.event_for(texts[0], message=texts[1], related_user=(texts[2],))
    assert (event.event_action, event.message, event.related_user) == (one, two, (three,))
    assert event.jwtrail_flags == (tuple(sorted(flags)) or None)


def test_what_is_not_as_a_field_wants_it_is_looked_at() -> None:
    event = ecs.event_for("login", related_user=["a"], event_duration=2**60, labels={"b": 1})
    assert (event.related_user, event.event_duration, event.labels) == (("a",), 2**53 - 1, {"b": "1"})
    with pytest.raises((TypeError, AttributeError)):
        ecs.event_for("login", message=7)
