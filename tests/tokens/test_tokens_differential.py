"""What we accept another library accepts: the fuzzer of `tests/fuzz`, for as long as a test may take."""

import random
import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "fuzz"))

from fuzz_tokens import KEYS, check, one, signed


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 2**64))
def test_altered_tokens(seed):
    one(random.Random(seed))


@given(st.binary(max_size=200), st.sampled_from(sorted(KEYS)))
def test_any_bytes(raw, alg):
    assert not check(raw, alg)


def test_good_ones_are_accepted_by_all():
    for alg in KEYS:
        assert check(signed(f'{{"alg":"{alg}"}}'.encode(), b'{"sub":"u1"}', alg), alg)
