"""How Sphinx makes the manual: ``sphinx-build -W --keep-going -b html docs build/manual``.

Nothing is fetched from anywhere, neither here nor by the pages. What pages have between
``<!-- fill: ... -->`` is made from the code; see `fill`.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import hashret

project = "hashret"
author = "The hashret authors"
copyright = f"{author}, MIT licence"
version = release = hashret.__version__

extensions = [
    "fill",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["images/*.md"]
# Annotations name a class without its module where it is imported for types alone: of several
# Encoders, the first is linked.
suppress_warnings = ["ref.python"]

# Headings are linked as on the places where the same files are read as they are.
myst_heading_anchors = 4
myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
# Blocks of commands have no language of their own.
highlight_language = "text"
# A name in a docstring, as numpydoc writes those of parameters.
default_role = "code"
# Two hyphens begin an option, and are no dash.
smartquotes = False

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
napoleon_google_docstring = False
# Types stand in words and shapes, which are no names to link: (n, width) is not some class's width.
napoleon_use_param = False
napoleon_use_rtype = False
napoleon_custom_sections = [("Attributes", "params_style")]

# Addresses that are read by people, at times behind a wall; `-b linkcheck` asks all the others.
linkcheck_ignore = [r"http://(127\.0\.0\.1|localhost).*", r"https?://photos\.example.*"]
linkcheck_timeout = 20

html_math_renderer = "mathml"
html_theme = "furo"
# From files, no script may read other pages to show some words of them.
html_show_search_summary = False
html_title = f"hashret {version}"
html_static_path = ["static"]
html_css_files = ["manual.css"]
html_show_sphinx = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"top_of_page_buttons": []}
copybutton_exclude = ".linenos, .gp, .go"
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True
