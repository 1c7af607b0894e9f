"""How the site is built: ``make docs``. Tables of constructions, metrics and commands are made from the code."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from gallery import draw  # noqa: E402  these three are found beside this file
from generated import write_pages  # noqa: E402
from results import benchmarks  # noqa: E402

import topograph  # noqa: E402  its version

write_pages(HERE / "_generated", HERE.parent / "notebooks")
for notebook in (HERE / "_generated" / "notebooks").glob("*.ipynb"):  # links from where they are copied to
    notebook.write_text(notebook.read_text(encoding="utf-8").replace("](../docs/", "](../../"), encoding="utf-8")
(HERE / "_generated" / "benchmarks.md").write_text(benchmarks(HERE.parent / "benchmarks"), encoding="utf-8")
draw(HERE / "gallery.md", HERE / "_generated" / "gallery")

project = "topograph"
author = "the topograph developers"
copyright = "2026, the topograph developers"
version = release = topograph.__version__

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_copybutton",
    "mathml",
]
exclude_patterns = ["_build", "_generated/*.md"]
source_suffix = {".md": "myst-nb", ".ipynb": "myst-nb"}

nb_execution_mode = "off"  # the notebooks are saved with their outputs; a test runs them
nb_merge_streams = True
myst_enable_extensions = ["dollarmath", "colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "py:obj"
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_numpy_docstring = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False
python_use_unqualified_type_names = True
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

html_math_renderer = "mathml"
html_theme = "furo"
html_title = "topograph"
html_static_path = ["_static"]
html_css_files = ["topograph.css"]
html_show_sphinx = False
