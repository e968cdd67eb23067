"""Looking at alerts in a data directory that cannot be written."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

# Root may write anywhere unless it lets go of that.
HUMBLE = ["setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override"] if os.geteuid() == 0 else []
pytestmark = pytest.mark.skipif(
    bool(HUMBLE) and shutil.which(HUMBLE[0]) is None, reason="root needs setpriv to be refused"
)


@pytest.mark.parametrize("what", [["list"], ["show", "abcd"]])
def test_alerts_are_read_where_nothing_can_be_written(filled, what):
    made = Path(tempfile.mkdtemp())
    try:
        shutil.copytree(filled[0], made / "data")
        for path in (made, *made.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        before = sorted(made.rglob("*"))
        done = subprocess.run(
            [*HUMBLE, sys.executable, "-m", "jwtrail", "alerts", *what, "--data", str(made / "data")],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert '"id":"abcd' in done.stdout
        assert sorted(made.rglob("*")) == before
    finally:
        for path in (made, *made.rglob("*")):
            if path.is_dir():
                path.chmod(0o755)
        shutil.rmtree(made)
