"""The documentation site: `make docs` builds the pages that GitHub shows, and the API pages.

Sphinx reads the pages where they lie, so that one link serves GitHub and the
site. The menu follows the lists of docs/index.md.
"""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

TOP = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TOP))

project = "sqzkit"
author = "The sqzkit authors"
copyright = "2026, the sqzkit authors"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
root_doc = "docs/index"
include_patterns = ["*.md", "docs/**.md", "benchmarks/*.md"]
exclude_patterns = [".*", "android_demo", "build", "runs", "shared", "sqzkit", "tests"]
nitpicky = True
highlight_language = "none"
default_role = "code"  # what docstrings mean by `name`

myst_heading_anchors = 4
myst_links_external_new_tab = False

# The API pages need signatures and docstrings, not TensorFlow's six seconds.
autodoc_mock_imports = ["optuna", "tensorflow", "tensorflow_model_optimization", "tf_keras"]
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
# The site is built without a network, so other projects' names lead nowhere.
nitpick_ignore_regex = [
    (r"py:.*", r"(np|numpy|tf|tensorflow|keras|tf_keras|PIL|Image|optuna|h5py)\b.*"),
    (
        r"py:.*",
        r"(Path|PathLike|StageName|pathlib|collections|dataclasses|abc|typing|os|enum|datetime)\b.*",
    ),
    (r"py:class", r"ArrayStore|DecodingStore"),  # an ImageDataset's own affair
    (r"py:.*", r"(Any|Callable|Iterable|Iterator|Literal|Mapping|NoneType|Sequence|TypeVar)\b.*"),
    (r"py:.*", r"(bool|bytes|dict|float|int|list|object|optional|set|str|tuple)\b.*"),
]

html_theme = "furo"
html_title = "sqzkit"
html_static_path = ["_static"]
html_css_files = ["site.css"]
templates_path = ["_templates"]
html_additional_pages = {"index": "start.html"}  # the site's top folder leads to docs/index.html
html_copy_source = False
html_show_sphinx = False
copybutton_exclude = ".linenos, .gp, .go"

_SECTION = re.compile(r"^## (.+)$")
_SHARED = re.compile(r"^( +)(\w+(?:, \w+)+): (.*)$")
_PAGE = re.compile(r"^- \[([^]]+)\]\(([^)#:]+)\.md\)")


def add_menu(app: "Sphinx", docname: str, source: list[str]) -> None:
    """Append a hidden table of contents for each section of the index that lists pages."""
    if docname != root_doc:
        return
    menu: dict[str, list[str]] = {}
    section = ""
    for line in source[0].splitlines():
        if heading := _SECTION.match(line):
            section = heading[1]
        elif page := _PAGE.match(line):
            title = page[1].replace("`", "")
            menu.setdefault(section, []).append(f"{title} <{page[2]}>")
    for caption, pages in menu.items():
        listed = "\n".join(pages)
        source[0] += f"\n\n```{{toctree}}\n:caption: {caption}\n:hidden:\n\n{listed}\n```"


def split_shared_fields(
    app: "Sphinx", what: str, name: str, obj: object, options: object, lines: list[str]
) -> None:
    """Write `a, b: text` of a docstring as `a: text` and `b: text`, which Sphinx expects."""
    position = 0
    while position < len(lines):
        shared = _SHARED.match(lines[position])
        end = position + 1
        while shared and end < len(lines) and lines[end].startswith(shared[1] + " "):
            end += 1
        if shared:
            text = [shared[3], *lines[position + 1 : end]]
            names = shared[2].split(", ")
            lines[position:end] = [
                line for one in names for line in (f"{shared[1]}{one}: {text[0]}", *text[1:])
            ]
            end = position + len(names) * len(text)
        position = end


def setup(app: "Sphinx") -> None:
    """Connect the menu and the docstrings."""
    app.connect("source-read", add_menu)
    app.connect("autodoc-process-docstring", split_shared_fields, priority=100)
