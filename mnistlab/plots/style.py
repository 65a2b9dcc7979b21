"""One look for every figure, so that they can stand side by side in a thesis."""

from typing import Any

import matplotlib

WIDTH = 8.0  # inches; readable when printed at half of it
DPI = 150
MARGIN = 0.3  # inches

# Blue and vermilion of Okabe and Ito are told apart with any colour vision; the vermilion is a
# shade darker than theirs so that small text in it keeps a contrast of 4.5 on white.
BLUE, VERMILION = "#0072B2", "#C24E00"
INK, MUTED, FAINT, PALE = "#1f1f1f", "#595959", "#c8c8c8", "#ebebeb"

TITLE, BODY, SMALL = 12.0, 9.5, 9.0  # points
FONT = "DejaVu Sans"  # comes with matplotlib: the same letters on every machine

# What a personal matplotlibrc could change. No text is parsed: a `$` in a name stays a `$`.
SETTINGS: dict[Any, Any] = {
    "axes.edgecolor": MUTED,
    "axes.facecolor": "white",
    "axes.grid": False,
    "axes.labelcolor": INK,
    "axes.labelsize": BODY,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.unicode_minus": True,
    "figure.autolayout": False,
    "figure.constrained_layout.use": False,
    "figure.facecolor": "white",
    "font.family": FONT,
    "font.size": BODY,
    "image.origin": "upper",
    "savefig.bbox": None,
    "savefig.facecolor": "auto",
    "savefig.transparent": False,
    "text.color": INK,
    "text.parse_math": False,
    "text.usetex": False,
    "xtick.color": MUTED,
    "xtick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.color": MUTED,
    "ytick.labelcolor": INK,
    "ytick.labelsize": SMALL,
}

# Decorates the functions that draw: the style holds inside them and nowhere else.
house_style = matplotlib.rc_context(SETTINGS)
