"""Versions of a seed that its author wrote: masculine, feminine, paired, neutral."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from biasloop.domain.item import text_hash
from biasloop.errors import CampaignError
from biasloop.expanders.draft import Draft

Written = Mapping[str, tuple[Draft, ...]]
"""Drafts per text hash of the parent."""


def read_versions(seeds: Path) -> Written:
    """The versions in seeds/*.jsonl; empty without that folder.

    Raises CampaignError naming file and line when a row cannot be read.
    """
    found: dict[str, tuple[Draft, ...]] = {}
    for path in sorted(seeds.glob("*.jsonl")):
        with path.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                    drafts = tuple(_draft(version) for version in row.get("versions") or ())
                    if drafts:
                        found[text_hash(row["text"])] = drafts
                except (ValueError, KeyError, TypeError, AttributeError) as error:
                    raise CampaignError(
                        f"{path}, line {number}: a seed or one of its versions is unreadable "
                        f"({error!r}); versions need form, text and labels"
                    ) from error
    return found


def _draft(version: Mapping[str, Any]) -> Draft:
    return Draft(version["text"], tuple(version["labels"]), f"version:{version['form']}")
