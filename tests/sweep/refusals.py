"""What several tests of sweeps ask: in which words one is refused, and what its trials hold."""

from pathlib import Path

import pytest

from mnistlab.errors import ConfigError
from mnistlab.sweeps.trials import load_sweep


def told(path: Path, *words: str, **options) -> str:
    with pytest.raises(ConfigError) as caught:
        load_sweep(path, words, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 600
    return message


def values(sweep, key: str) -> list:
    return [trial.parameters[key] for trial in sweep.trials]
