"""Random histories of a label list, with models, votes and exports in between: no value ever stands
under the name of another label, and every value whose label is still there is still there."""

from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from biasloop.domain.label import MISSING, Scheme
from biasloop.domain.learning import Scores
from biasloop.domain.verdict import decide_verdicts
from biasloop.domain.votes.consensus import ConsensusMethod, resolve_item_labels
from support import annotations


@dataclass
class History:
    """A scheme, and what was made under it so far. `things` names the thing that each label is
    about: it stays the same whatever the label is called. Each model and vote is a triple of the
    labels of its day, what these were about, and its value for each."""

    scheme: Scheme
    things: dict[str, int]
    models: list[tuple[tuple[str, ...], list[int], np.ndarray]] = field(default_factory=list)
    votes: list[tuple[tuple[str, ...], int, str]] = field(default_factory=list)
    used: int = 0

    def new_name(self) -> str:
        self.used += 1
        return f"label {self.used}"

    def add(self, at: int) -> None:
        label, labels = self.new_name(), list(self.scheme.labels)
        labels.insert(at % (len(labels) + 1), label)
        self.things[label] = self.used
        self.change(labels)

    def remove(self, at: int) -> None:
        labels = list(self.scheme.labels)
        if len(labels) > 2:
            del self.things[labels.pop(at % len(labels))]
            self.change(labels)

    def reorder(self, at: int) -> None:
        labels = list(self.scheme.labels)
        self.change([str(label) for label in np.random.default_rng(at).permutation(labels)])

    def rename(self, at: int) -> None:
        old, new = self.scheme.labels[at % len(self.scheme.labels)], self.new_name()
        self.scheme = self.scheme.rename(old, new)
        self.things[new] = self.things.pop(old)

    def rename_back(self, at: int) -> None:
        former = [(old, new) for old, new in self.scheme.renamed.items() if new in self.things]
        if former:
            old, new = former[at % len(former)]
            self.scheme = self.scheme.rename(new, old)
            self.things[old] = self.things.pop(new)

    def train(self, at: int) -> None:
        """A model whose output for a label is the number of its thing, over 1000."""
        things = [self.things[label] for label in self.scheme.labels]
        self.models.append((self.scheme.labels, things, np.array([things], np.float32) / 1000))

    def vote(self, at: int) -> None:
        label = self.scheme.labels[at % len(self.scheme.labels)]
        self.votes.append((self.scheme.labels, self.things[label], label))

    def change(self, labels: list[str]) -> None:
        self.scheme = Scheme(
            tuple(labels), self.scheme.multi, self.scheme.none_label, self.scheme.renamed
        )


ACTIONS = ("add", "remove", "reorder", "rename", "rename_back", "train", "vote", "export")


def check(history: History) -> None:
    """Everything that was made so far, read under the scheme of today."""
    scheme, things = history.scheme, history.things
    for names, about, outputs in history.models:
        survives = [things[label] in about for label in scheme.labels]
        expected = np.array([things[label] / 1000 for label in scheme.labels], np.float32)
        # In a single-label scheme the flag goes to the highest output / threshold, here the lowest
        # output.
        thresholds = outputs[0] if scheme.multi else outputs[0] ** 2
        verdicts = decide_verdicts(outputs, thresholds, names, scheme)
        assert np.isfinite(verdicts.proba[0]).tolist() == survives
        assert (verdicts.proba[0] == expected)[survives].all()
        flagged = [things[scheme.labels[j]] for j in np.flatnonzero(verdicts.flags[0])]
        if scheme.multi:
            assert flagged == [things[label] for label in verdicts.known]
        else:
            assert flagged == [thing for thing in things.values() if thing == min(about)]
        assert verdicts.known == tuple(np.array(scheme.labels)[survives])
        scores = Scores({"proba": outputs}, outputs[0], scheme.multi).under(scheme, names)
        assert (scores.arrays["proba"][0] == expected[survives]).all()
        assert (scores.thresholds == expected[survives]).all()
    cast = [
        annotations.vote(str(number), label, asked=asked)
        for number, (asked, _, label) in enumerate(history.votes)
    ]
    resolved = resolve_item_labels(cast, scheme, ConsensusMethod.MAJORITY)
    matrix = scheme.encode([[label] for *_, label in history.votes], [a for a, *_ in history.votes])
    for number, (_, about_thing, _) in enumerate(history.votes):
        found = resolved.get(str(number))
        if about_thing in things.values():
            assert found is not None
            assert [things[label] for label in found.labels] == [about_thing]
            chosen = np.flatnonzero(matrix[number] == 1)
            assert [things[scheme.labels[j]] for j in chosen] == [about_thing]
        else:
            assert found is None
            assert (matrix[number] == MISSING).all()


@settings(max_examples=500, deadline=None)
@given(
    multi=st.booleans(),
    actions=st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 99)), max_size=25),
)
def test_no_value_stands_under_another_label_and_none_is_lost(
    multi: bool, actions: list[tuple[str, int]]
) -> None:
    history = History(Scheme((), multi, "none" if multi else None), {})
    for at in range(3):
        history.add(at)
    for action, at in actions:
        if action == "export":
            check(history)
        else:
            getattr(history, action)(at)
    check(history)
