"""The worlds and text cases of other rooms are asked here too."""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parents[1] / room) for room in ("predicate", "kql")]
