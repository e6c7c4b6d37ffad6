"""Renders templates to HTML; every value is escaped."""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from biasloop.domain.measure.metric import MIN_POSITIVES
from biasloop.domain.trial import Trial
from biasloop.labelstudio.tasks import to_html
from biasloop.service.service import Service
from biasloop.service.trial import describe
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
        "markdown": _markdown,
    }
    environment.globals |= {
        "doing": view.doing,
        "progress": view.progress,
        "task_url": view.task_url,
        "min_positives": MIN_POSITIVES,
        "plotly_version": version("plotly"),
    }
    return environment


def _markdown(text: str) -> Markup:
    """Markdown as HTML; HTML tags in it become plain text."""
    return Markup(to_html(text))  # noqa: S704 - see to_html


_TEMPLATES = _templates()


def render(template: str, **values: Any) -> str:
    """Renders a template with these values."""
    return _TEMPLATES.get_template(template).render(**values)


def trial_file(service: Service, trial: Trial) -> str:
    """A trial as one self-contained HTML file, for people without access to the page."""
    current = service.ledger.policies.current()
    return render(
        "trial_file.html",
        title=service.campaign.about.title,
        style=Markup((HERE / "static" / "style.css").read_text("utf-8")),  # noqa: S704 - our own
        trial=describe(service, trial),
        diff=draft_diff(service, trial),
        in_force=current.id if current else None,
        alone=True,
    )


def draft_diff(service: Service, trial: Trial) -> list[tuple[str, str]] | None:
    """The lines that the draft changes; None if it is compared with a version never in force."""
    for _, policy in service.ledger.policies.all():
        if policy.id == trial.against:
            return view.diff(policy.text, trial.draft.text)
    return None
