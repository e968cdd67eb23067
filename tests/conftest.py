"""What all tests share."""

import signal

from hypothesis import HealthCheck, settings

# The same examples each time, so that no test fails by chance; `--hypothesis-profile=seeking` looks for others. How long one
# takes says how busy the machine is, not whether the code is right.
settings.register_profile(
    "steady", deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("seeking", settings.get_profile("steady"), derandomize=False)
settings.load_profile("steady")

# Some tests end a process as Ctrl+C does. A runner that was started in the background ignores that, and so would what it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
