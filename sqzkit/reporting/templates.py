"""HTML pages from Jinja templates: one frame and one style sheet for all of them."""

from pathlib import Path
from typing import Any

_SHARED = Path(__file__).parent


def render(template: Path, **values: Any) -> str:
    """Return a template as HTML text, with `values` for what it names; they are escaped.

    A page begins with `{% extends "base.html" %}` and fills the blocks `title` and `main`; its
    style is `style.css`, and it needs nothing else. Numbers may be written by the filters `percent`
    (a share 0..1) and `thousands`. Raises `ValueError` if a value is not what the template takes.
    """
    import jinja2

    environment = jinja2.Environment(
        autoescape=True,
        loader=jinja2.FileSystemLoader([template.parent, _SHARED]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.2f} %"
    environment.filters["thousands"] = lambda number: f"{number:,.0f}"
    page = environment.get_template(template.name)
    try:
        return page.render(values)
    except jinja2.TemplateRuntimeError as error:
        raise ValueError(str(error)) from error
