"""Describes the machine and the versions that a measurement belongs to."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path


def describe_machine() -> dict[str, str]:
    """Return processor, memory and versions, without anything that names the machine."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "system": platform.system(),
        "python": platform.python_version(),
        "numpy": f"{_version('numpy')} with {_blas()}",
        "torch": _version("torch"),
        "jax": _version("jax"),
        "scikit-learn": _version("scikit-learn"),
        "optuna": _version("optuna"),
        "typer": _version("typer"),
        "matplotlib": _version("matplotlib"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _blas() -> str:
    import numpy as np  # noqa: PLC0415 - only after all measurements: a child inherits the peak memory

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return f"{blas['name']} {blas['version']}"


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"
