"""A new name for a label, in the files of a campaign folder."""

import json
import re
import tomllib
from collections.abc import Mapping
from html import unescape
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import quoteattr

from biasloop.domain.label import Scheme
from biasloop.errors import CampaignError
from biasloop.labelstudio.label_config import parse_label_config
from biasloop.store.atomic import write_whole

_CHOICE = re.compile(r"<Choice\b[^>]*>")
_SECTION = re.compile(r"^\s*\[", re.MULTILINE)


def rename_in_campaign(folder: Path, scheme: Scheme, old: str, new: str) -> None:
    """Gives a label of the scheme its new name in label_config.xml and campaign.toml, whose table
    [renamed] then holds the former one. Layout and comments of both files stay.

    Raises CampaignError, and changes nothing, if the files say it in a way that is not understood;
    ValueError as `Scheme.rename` does.
    """
    renamed = scheme.rename(old, new)
    config, about = folder / "label_config.xml", folder / "campaign.toml"
    xml = _with_new_choice(config.read_text("utf-8"), old, new)
    text = about.read_text("utf-8")
    new_text = _with_new_key(text, old, new, renamed.renamed)
    same = parse_label_config(xml, renamed.none_label).scheme.choices == renamed.choices
    if not same or tomllib.loads(new_text) != _expected(tomllib.loads(text), old, new, renamed):
        raise CampaignError(
            f"{folder}: the label {old} cannot be renamed there automatically; write {new} in "
            "label_config.xml and campaign.toml, and below them a table:\n"
            + _renamed_table(renamed.renamed)
        )
    write_whole(config, xml)
    write_whole(about, new_text)


def _with_new_choice(xml: str, old: str, new: str) -> str:
    def rename(tag: re.Match[str]) -> str:
        name = "alias" if re.search(r"\balias\s*=", tag[0]) else "value"
        return re.sub(
            rf"(\b{name}\s*=\s*)(\"[^\"]*\"|'[^']*')",
            lambda a: a[1] + quoteattr(new) if unescape(a[2][1:-1]) == old else a[0],
            tag[0],
        )

    return _CHOICE.sub(rename, xml)


def _with_new_key(text: str, old: str, new: str, former: Mapping[str, str]) -> str:
    key = f"(?:{re.escape(old)}|{re.escape(_quoted(old))}|'{re.escape(old)}')"
    parts = _sections(text)
    for number, part in enumerate(parts):
        if part.lstrip().startswith("[labels]"):
            pattern = rf"^(\s*){key}(?=\s*=)"
            parts[number] = re.sub(pattern, lambda m: m[1] + _quoted(new), part, flags=re.M)
    pattern = rf"^(\s*none_label\s*=\s*)(?:{re.escape(_quoted(old))}|'{re.escape(old)}')"
    parts[0] = re.sub(pattern, lambda m: m[1] + _quoted(new), parts[0], flags=re.M)
    kept = [part for part in parts if not part.lstrip().startswith("[renamed]")]
    return "".join(kept).rstrip() + "\n\n" + _renamed_table(former)


def _sections(text: str) -> list[str]:
    """The text before the first table of a TOML file, then each table with its header."""
    starts = [0, *(match.start() for match in _SECTION.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(starts)]


def _renamed_table(former: Mapping[str, str]) -> str:
    lines = [f"{_quoted(name)} = {_quoted(present)}" for name, present in former.items()]
    return "\n".join(["[renamed]  # former names of labels", *lines]) + "\n"


def _expected(values: dict[str, object], old: str, new: str, renamed: Scheme) -> dict[str, object]:
    """The content that campaign.toml should have afterwards."""
    expected = values | {"renamed": dict(renamed.renamed)}
    if renamed.none_label is not None:
        expected["none_label"] = renamed.none_label
    labels = values.get("labels")
    if isinstance(labels, dict):
        expected["labels"] = {new if name == old else name: said for name, said in labels.items()}
    return expected


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
