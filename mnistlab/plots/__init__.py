"""Figures of runs, sweeps and gradient checks; Matplotlib comes along only with what needs it."""

import importlib
from typing import Any

_FACE = {
    "Painter": "painter",
    "PLOTS": "run_plots",
    "RunCurves": "epoch_curves",
    "RunView": "views",
    "SWEEP_PLOTS": "sweep_plots",
    "SweepView": "views",
    "all_learning_curves": "epoch_curves",
    "check_picture": "picture_file",
    "compared_curves": "epoch_curves",
    "confusion_matrix": "image_plots",
    "draw": "run_plots",
    "encode": "picture_file",
    "error_by_parameter": "sweep_one_parameter",
    "error_map": "sweep_several_parameters",
    "gradient_error": "gradient_check",
    "import_matplotlib": "picture_file",
    "learning_curves": "epoch_curves",
    "parallel_coordinates": "sweep_several_parameters",
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
