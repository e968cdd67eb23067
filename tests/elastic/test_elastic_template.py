"""The index template holds every field of the catalogue; that engines answer alike is tested in tests/engines."""

from jwtrail.ecs import CATALOGUE
from jwtrail.elastic import index_body, index_template
from jwtrail.elastic.template import PROOF_FIELDS


def test_every_field_has_a_type_and_nothing_else_is_taken() -> None:
    for flavour in ("opensearch", "elasticsearch"):
        mappings = index_body(flavour)["mappings"]
        assert set(mappings["properties"]) == {*CATALOGUE, *PROOF_FIELDS}
        assert mappings["dynamic"] == "strict"


def test_no_field_stands_inside_another() -> None:
    names = set(CATALOGUE)
    assert [name for name in names if any(other.startswith(f"{name}.") for other in names)] == []


def test_the_flavours_differ_in_two_types() -> None:
    theirs, ours = (
        index_body(flavour)["mappings"]["properties"] for flavour in ("elasticsearch", "opensearch")
    )
    differing = {name for name in CATALOGUE if theirs[name] != ours[name]}
    assert {CATALOGUE[name].type for name in differing} == {"flattened", "wildcard"}
    assert theirs["labels"] == {"type": "flattened"}
    assert ours["url.path"] == {**theirs["url.path"], "doc_values": True}


def test_the_template_is_for_our_data_streams() -> None:
    made = index_template({}, ("one", "two"))
    assert made["index_patterns"] == ["logs-jwtrail.*-*"]
    assert made["data_stream"] == {}
    assert made["composed_of"] == ["one", "two"]


def test_a_build_with_less_keeps_every_field() -> None:
    full = index_body("elasticsearch")["mappings"]["properties"]
    less = index_body("elasticsearch", wildcard=False, flat=False)["mappings"]["properties"]
    changed = {name for name in full if full[name] != less[name]}
    assert changed == {"url.path", "url.original", "jwt.claims", "labels"}
    assert less["url.path"] == {"type": "keyword"}
    assert less["labels"] == {"type": "object", "enabled": False}
