"""The runs folders that commands are disturbed on, made once a process."""

import pytest

from tests.faults import failing


@pytest.fixture(scope="session")
def scenarios(tmp_path_factory):
    """Return the commands that are disturbed, by name."""
    made = failing.scenarios(tmp_path_factory.mktemp("scenarios"))
    return {scenario.name: scenario for scenario in made}
