"""The keys that one written function reads are those that each rule would read by itself."""

from detect_kit import event
from hypothesis import given
from hypothesis import strategies as st

from jwtrail.detect.fields import MAX_KEY, key_of, key_reader
from jwtrail.detect.keys import keys_reader

FIELDS = ("user.id", "http.route", "source.as.number", "labels.team", "event.id")
TEXTS = st.none() | st.text("ab{}'\"\\", max_size=6) | st.sampled_from(["u" * MAX_KEY, "u" * MAX_KEY + "v"])


@given(
    st.lists(st.lists(st.sampled_from(FIELDS), unique=True, min_size=1).map(tuple), unique=True),
    TEXTS,
    TEXTS,
    st.none() | st.integers(0, 9),
)
def test_all_keys_at_once_are_the_keys_one_by_one(groups, user, route, network):
    one = event(
        0, 0, user=user, http_route=route, source_as_number=network, labels={"team": route} if route else None
    )
    wanted = [None if (parts := key_reader(fields)(one)) is None else key_of(parts) for fields in groups]
    assert list(keys_reader([*groups, ()])(one)) == [*wanted, ""]
