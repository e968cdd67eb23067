"""The key that is read in one go is the one made of its parts."""

from detect_kit import event
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.detect.fields import MAX_KEY, bounded_key, key_of, key_reader, whole_key_reader

FIELDS = ("user.id", "http.route", "source.as.number", "labels.team", "event.id")
TEXTS = st.none() | st.text("ab{}'\"\\", max_size=6) | st.sampled_from(["u" * MAX_KEY, "u" * MAX_KEY + "v"])


@given(
    st.lists(st.sampled_from(FIELDS), unique=True).map(tuple),
    TEXTS,
    TEXTS,
    st.none() | st.integers(0, 9),
)
def test_a_key_read_as_a_whole_is_the_one_of_its_parts(fields, user, route, network):
    one = event(
        0, 0, user=user, http_route=route, source_as_number=network, labels={"team": route} if route else None
    )
    parts, whole = key_reader(fields)(one), whole_key_reader(fields)(one)
    assert (whole is None) == (parts is None)
    assert parts is None or bounded_key(whole) == key_of(parts)
