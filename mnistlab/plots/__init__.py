"""Figures of runs, sweeps and gradient checks; Matplotlib comes along only with what needs it."""

import importlib
from typing import Any

_MODULES = {
    "drawing": ("Painter", "check_picture", "encode", "import_matplotlib", "save_picture"),
    "epoch_curves": ("RunCurves", "all_learning_curves", "compared_curves", "learning_curves"),
    "error_plots": ("error_by_parameter", "gradient_error"),
    "image_plots": ("confusion_matrix", "seen_images", "weight_templates", "worst_mistakes"),
    "plot_registries": ("PLOTS", "SWEEP_PLOTS", "plots_of", "save_plot", "write_plots"),
    "sweep_several_parameters": ("error_map", "panel_key", "parallel_coordinates"),
    "views": ("RunView", "SweepView"),
}
_FACE = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Return a name of this package from the module that has it."""
    if name not in _FACE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if _FACE[name] != "drawing":
        importlib.import_module(f"{__name__}.drawing").import_matplotlib()
    return getattr(importlib.import_module(f"{__name__}.{_FACE[name]}"), name)
