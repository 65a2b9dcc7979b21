"""How Sphinx builds the documentation: `make docs`; no step of it needs the network."""

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from config_reference import PLACE, config_reference
from sphinx.application import Sphinx

import mnistlab

project = "mnistlab"
author = "mnistlab developers"
release = version = mnistlab.__version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"mnistlab {release}"
html_static_path = ["_static"]
html_css_files = ["mnistlab.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3
myst_links_external_new_tab = False

# The notebook is committed without outputs and executed for each build, in a folder of its own.
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_merge_streams = True

default_role = "code"  # docstrings write `code` with single backticks
autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it in words; annotations name internal types
napoleon_numpy_docstring = False
napoleon_use_ivar = True


def insert_config_reference(app: Sphinx, page: str, source: list[str]) -> None:  # noqa: ARG001
    """Put the keys of a config, made from its schema, where the page has their place."""
    source[0] = source[0].replace(PLACE, config_reference())


def setup(app: Sphinx) -> dict[str, Any]:
    """Connect what this file adds to Sphinx."""
    app.connect("source-read", insert_config_reference)
    return {"parallel_read_safe": True}
