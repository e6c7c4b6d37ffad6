"""From templates to HTML; whatever comes from outside is escaped."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2

from biasloop.web import view

HERE = Path(__file__).parent


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "when": view.when,
        "interval": view.interval,
        "change": view.change,
        "percent": view.percent,
        "hours": view.hours,
        "pairs": view.pairs,
    }
    environment.globals |= {
        "doing": view.doing,
        "progress": view.progress,
        "task_url": view.task_url,
        "plotly_version": version("plotly"),
    }
    return environment


_TEMPLATES = _templates()


def render(template: str, **values: Any) -> str:
    """The page that a template makes of these values."""
    return _TEMPLATES.get_template(template).render(**values)
