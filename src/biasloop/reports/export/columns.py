"""The columns of the tables of an export, and what each means: the data dictionary."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from biasloop.domain.columns import INPUT
from biasloop.ports import Columns


@dataclass(frozen=True, slots=True)
class Column:
    """`kind` as in `ports.Columns`; `meaning` in one line."""

    kind: type
    meaning: str


Dictionary = Mapping[str, Column]
"""The columns of a table by name, in order."""

ITEMS: Dictionary = {
    "item_id": Column(str, "id of the item: a hash of its root, place and text as imported"),
    "text": Column(str, "text that was labelled"),
    "ad_id": Column(str, "ad that the text is part of; empty for texts written for the campaign"),
    "start": Column(int, "first character of the text in the text of the ad"),
    "end": Column(int, "character after the last one"),
    "origin": Column(str, "real (from an ad), seed (written), synthetic (made from others), gold"),
    "split": Column(str, "train, or audit: what figures are measured on and nothing learns from"),
    "roots": Column(list, "ads or seed families that the item descends from"),
    "parents": Column(list, "items that a synthetic item was made from"),
    "operation": Column(str, "how a synthetic item was made"),
    "group": Column(str, "group of a seed, such as its sector"),
    "labels": Column(list, "labels of the item: adjudicated, else the consensus of people's votes, "
                           "else those it came with; empty list: none applies"),
    "asked": Column(list, "labels that were asked about; others are unknown, not absent"),
    "label_source": Column(str, "human, adjudicated, seed, constructed, llm or gold; machine: "
                                "nobody labelled it, and a model was sure (see bound)"),
    "bound": Column(dict, "where label_source is machine, by label, as JSON: with a chance of at "
                          "least 1 - delta, at most the share risk of all verdicts by this model "
                          "with this confidence or more is wrong, as shown by kept audit items "
                          "of which it got errors wrong; older_model: a newer model exists"),
    "arm": Column(str, "why the item was chosen: audit or random_train (at random), acquisition "
                       "(by a strategy), gold"),
    "inclusion_probability": Column(float, "probability over all rounds with which the item was "
                                           "drawn at random; empty: it never was"),
    "round": Column(int, "round in whose batch the item was"),
    "policies": Column(list, "versions of the guideline under which it was labelled"),
    "votes": Column(int, "votes of people that count"),
    "agreement": Column(float, "smallest share, over labels, of votes that say what the majority "
                               "says; 1: all agree, empty: fewer than two votes"),
    "labelled_at": Column(datetime, "when its newest label was given, in UTC"),
    "spans": Column(dict, "words marked for each label, as JSON: label to a list of [start, end) "
                          "within the text"),
    "rewrite": Column(str, "neutral rewrites that people proposed, one a line"),
}  # fmt: skip
VOTES: Dictionary = {
    "annotation": Column(str, "id of the annotation"),
    "item_id": Column(str, "item that it is about"),
    "annotator": Column(str, "pseudonym of the author; adjudicator: who decided after the votes"),
    "label_source": Column(str, "human, adjudicated, seed, constructed, llm or gold"),
    "standing": Column(str, "vote (counts), skip, or aside (does not count)"),
    "reason": Column(str, "why it was set aside, or what an adjudication was given with"),
    "labels": Column(list, "labels chosen"),
    "asked": Column(list, "labels that were asked about"),
    "policy": Column(str, "version of the guideline in force"),
    "at": Column(datetime, "when it was submitted, in UTC"),
    "seconds": Column(float, "how long it took"),
    "spans": Column(dict, "words marked for each label, as JSON: label to a list of [start, end)"),
    "rewrite": Column(str, "neutral rewrite that the author proposed"),
    "unsure": Column(bool, "the author asks for a second look"),
    "extra": Column(dict, "what the author marked and wrote, as JSON, verbatim"),
}
ADS: Dictionary = {
    "ad_id": Column(str, "id of the ad"),
    "title": Column(str, "title"),
    "text": Column(str, "text of the whole ad"),
    "language": Column(str, "language, as imported"),
    "source": Column(str, "where the ad comes from, as imported"),
}


def kinds(dictionary: Dictionary) -> Columns:
    """The kinds alone, as exporters take them."""
    return {name: column.kind for name, column in dictionary.items()}


def share_columns(labels: Iterable[str]) -> Dictionary:
    """The share of votes for each label."""
    meaning = "share of the votes for {} among those asked about it"
    return {f"share_{label}": Column(float, meaning.format(label)) for label in labels}


def kept_names(names: Iterable[str], taken: Iterable[str]) -> dict[str, str]:
    """What columns of the input are called in a table whose own columns are `taken`.

    Other programs compare names without case, so names that differ in case alone are told apart,
    too: by "input_" before the later one.
    """
    used = {name.casefold() for name in taken}
    given: dict[str, str] = {}
    for name in names:
        free = name
        while free.casefold() in used:
            free = f"{INPUT}{free}"
        used.add(free.casefold())
        given[name] = free
    return given
