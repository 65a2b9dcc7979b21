"""Figures of runs, sweeps and gradient checks; Matplotlib comes along only with what needs it."""

import importlib
from typing import Any

_FACE = {
    "Painter": "painter",
    "PLOTS": "run_plots",
    "RunCurves": "epoch_curves",
    "RunView": "run_plots",
    "SWEEP_PLOTS": "sweep_plots",
    "SweepView": "sweep_plots",
    "all_learning_curves": "sweep_curves",
    "check_picture": "picture_file",
    "compared_curves": "epoch_curves",
    "confusion_matrix": "image_plots",
    "draw": "run_plots",
    "encode": "picture_file",
    "error_by_rate": "sweep_rates",
    "error_map": "sweep_map",
    "gradient_error": "gradient_check",
    "import_matplotlib": "picture_file",
    "learning_curves": "epoch_curves",
    "parallel_coordinates": "sweep_coordinates",
    "save_picture": "picture_file",
    "seen_images": "image_plots",
    "weight_templates": "image_plots",
    "worst_mistakes": "image_plots",
}


def __getattr__(name: str) -> Any:
    """Return a name of this package from the module that has it."""
    if name not in _FACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_FACE[name]}"), name)
