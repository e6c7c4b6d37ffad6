"""A report on one ad for people: what is flagged, by which words, why, and how else to say it.

One HTML file that needs nothing else and runs nothing; every text is escaped.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import jinja2

from biasloop.intake.markup import without_markup
from biasloop.intake.texts import Text
from biasloop.plugins.expanders.neutral import NeutralWriter
from biasloop.reports.classify import Verdict
from biasloop.reports.classify_jobs import classify_in_order, task_of
from biasloop.service.service import Service

HERE = Path(__file__).parent
ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a sentence, and the labels that its words carry."""

    text: str
    labels: tuple[str, ...]


def ad_report(service: Service, text: Text) -> str:
    """The report on a text by the model in service, as HTML in the campaign's language (English
    where there are no words for it). Raises ClassifierError without a model."""
    task, campaign = task_of(service), service.campaign
    plain = text if task.keep_markup else replace(text, text=without_markup(text.text).text)
    ((verdict,),) = classify_in_order([[plain]], task, jobs=1)
    words = _words(campaign.about.language)
    writer = NeutralWriter(campaign.folder)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template("ad.html").render(
        words=words,
        title=text.title or words["untitled"],
        labels=[
            _label(label, verdict, verdict["thresholds"], words)
            | {"why": campaign.about.labels.get(label, "")}
            for label in verdict["flagged"]
        ],
        sentences=[
            {
                "parts": marked_parts(plain.text, sentence),
                "labels": [
                    _label(label, sentence, verdict["thresholds"], words)
                    for label in sentence["flagged"]
                ],
                "rewrite": writer.rewrite(sentence["text"], sentence["flagged"]),
            }
            for sentence in verdict["sentences"]
        ],
        footer=words["model"].format(model=task.folder.name, title=campaign.about.title),
    )
    return html.encode("utf-8", "replace").decode("utf-8")  # half a surrogate pair


def marked_parts(text: str, sentence: Mapping[str, Any]) -> list[Part]:
    """The sentence in pieces, each with the labels of the evidence that covers it."""
    start, end, evidence = sentence["start"], sentence["end"], sentence["evidence"]
    borders = {start, end, *(words["start"] for words in evidence)}
    places = sorted(borders | {words["end"] for words in evidence})
    return [Part(text[first:last], _labels_at(evidence, first)) for first, last in pairwise(places)]


def _labels_at(evidence: Sequence[Mapping[str, Any]], place: int) -> tuple[str, ...]:
    here = (words["label"] for words in evidence if words["start"] <= place < words["end"])
    return tuple(dict.fromkeys(here))


def _label(
    label: str, verdict: Verdict, thresholds: Mapping[str, float], words: Mapping[str, str]
) -> dict[str, Any]:
    figures = words["probability"].format(
        probability=f"{verdict['labels'][label]:.2f}", threshold=f"{thresholds[label]:.2f}"
    )
    evidence = [part["text"] for part in verdict.get("evidence", ()) if part["label"] == label]
    return {"name": label, "figures": figures, "words": list(dict.fromkeys(evidence))}


def _words(language: str) -> Mapping[str, str]:
    known = {path.stem: path for path in (HERE / "words").glob("*.toml")}
    return tomllib.loads(known.get(language, known[ENGLISH]).read_text("utf-8"))
