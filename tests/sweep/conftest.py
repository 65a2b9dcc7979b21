"""A small config and a place to write sweep files that build on it."""

from pathlib import Path

import pytest


@pytest.fixture
def base(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text("epochs: 8\ndata: {dataset: mnist-mini, validation: 100}\n")
    return path


@pytest.fixture
def write(tmp_path, base):  # noqa: ARG001 - the file that sweep files name as their base
    def write(content: str, name: str = "many.yaml") -> Path:
        path = tmp_path / name
        path.write_text(content)
        return path

    return write
