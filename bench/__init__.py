"""`make bench`: speed as ratios against peers, interleaved in one run. Absolute figures depend on the machine and its neighbours."""
