"""Our own pages, as HTML; every value is escaped."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
from starlette.responses import HTMLResponse

HERE = Path(__file__).parent
_TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def render(template: str, words: Mapping[str, str], **values: Any) -> str:
    """Renders a template with these words and values."""
    return _TEMPLATES.get_template(template).render(words=words, **values)


def message_page(
    words: Mapping[str, str],
    status: int,
    title: str,
    text: str,
    *,
    back: bool = False,
    retry: bool = False,
) -> HTMLResponse:
    """A page that says what is the matter. `back`: with a link to the tasks; `retry`: it loads
    again by itself."""
    html = render("message.html", words, title=title, text=text, back=back, retry=retry)
    return HTMLResponse(html, status)
