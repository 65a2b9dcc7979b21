"""What else is installed beside mnistlab is none of its business."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_plugin_of_pydantics_is_loaded(tmp_path):
    about = tmp_path / "other-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[pydantic]\nother = other\n")
    (tmp_path / "other.py").write_text("print('loaded')\nnew_schema_validator = None\n")
    inherited = {key: value for key, value in os.environ.items() if "PYDANTIC" not in key}
    done = subprocess.run(
        [sys.executable, "-m", "mnistlab", "config", "show"],
        env={**inherited, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(ROOT)])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "loaded" in done.stdout + done.stderr) == (0, False)
