"""The script for Label Studio's labelling page, with what it knows of the campaign. Pure."""

import json
from functools import cache
from pathlib import Path
from typing import Any

from biasloop.gateway.words import language_file
from biasloop.labelstudio.label_config import LabelConfig

SCRIPT = Path(__file__).parent / "static" / "page.js"
PHRASES = Path(__file__).parent / "phrases"
"""One table per language: Label Studio's English phrases with what is shown for them, those that
stay as they are with the reason, and our own words. N stands for a number."""


@cache
def phrase_table(language: str) -> dict[str, Any]:
    """The table of a language; the English one where there is none."""
    file = language_file(PHRASES, language, ".json")
    table: dict[str, Any] = {"language": file.stem} | json.loads(file.read_text("utf-8"))
    return table


def page_script(language: str, config: LabelConfig) -> str:
    """What the labelling page runs: the values of the campaign, then the script."""
    table = phrase_table(language)
    values = {
        "language": table["language"],
        "phrases": table["phrases"],
        "words": table["own"],
        "controls": {
            "labels": config.choices,
            "none": config.scheme.none_label,
            "spans": config.spans,
            "sentence": config.value,
        },
    }
    return f"window.biasloop = {json.dumps(values)};\n{SCRIPT.read_text('utf-8')}"
