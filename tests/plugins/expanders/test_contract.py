"""The contract of every registered expander."""

import json
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from biasloop.domain.item import Ad, Item, Origin, real_item, seed_item
from biasloop.domain.label import LabelSource, Scheme
from biasloop.domain.policy import Policy
from biasloop.domain.split import Split
from biasloop.domain.writing.prompt import Answer, Prompt, Spending
from biasloop.domain.writing.screening import TextProfile
from biasloop.domain.writing.synthesis import CampaignBrief, SyntheticItem, WritingMaterial
from biasloop.errors import ConfigError
from biasloop.llm.judge import Judge
from biasloop.llm.prompting import read_prompts
from biasloop.plugins.registry import Kind, create, names
from biasloop.ports import Checkpoint, Expander, PromptExpander, no_checkpoint
from biasloop.rounds.steps.expand.synthesis import synthesise
from biasloop.store.pool import ArrowPool

SEED = {
    "text": "Cerchiamo un magazziniere.",
    "form": "masculine",
    "labels": ["gender"],
    "versions": [
        {"form": "feminine", "text": "Cerchiamo una magazziniera.", "labels": ["gender"]},
        {"form": "neutral", "text": "Cerchiamo personale per il magazzino.", "labels": ["none"]},
    ],
}


def _counterfactual(folder: Path) -> Expander:
    seeds = folder / "seeds"
    seeds.mkdir()
    (seeds / "one.jsonl").write_text(json.dumps(SEED) + "\n", encoding="utf-8")
    made: Expander = create(Kind.EXPANDER, "counterfactual", {"folder": folder})
    return made


class Obedient:
    """A model that writes what it is asked for and finds the labels that were asked for."""

    stopped = None

    def __init__(self) -> None:
        self._labels_of: dict[str, list[str]] = {}

    def ask(
        self, prompts: Sequence[Prompt], *, checkpoint: Checkpoint = no_checkpoint
    ) -> list[Answer]:
        return [Answer(self._answer(prompt)) for prompt in prompts]

    def _answer(self, prompt: Prompt) -> dict[str, Any]:
        if "labels" in prompt.schema["properties"]:
            (text,) = [t for t in self._labels_of if t in prompt.user]
            return {"reason": "", "labels": self._labels_of[text]}
        labels = re.findall(r"carr(?:y|ies) exactly (.+?) by the guideline", prompt.system)[0]
        text = f"Cerchiamo una persona per il magazzino numero {len(self._labels_of)}"
        self._labels_of[text] = labels.split(" and ")
        return {"text": text}

    def spending(self) -> Spending:
        return Spending()


class Asking:
    """An expander that asks a model, as the expand job runs it."""

    def __init__(self, folder: Path, expander: PromptExpander) -> None:
        self._folder = folder
        self._expander = expander

    def expand(
        self, parents: Sequence[tuple[Item, tuple[str, ...]]], seed: int
    ) -> Iterator[SyntheticItem]:
        pool = ArrowPool(Path(tempfile.mkdtemp(dir=self._folder)))
        pool.append(item for item, _ in parents)
        guide = CampaignBrief(Scheme(("gender",), True, "none"), {}, Policy("# Guide"))
        model, prompts = Obedient(), read_prompts(self._folder)
        corpus = WritingMaterial(parents, [], {"gender": 1.0}, turn=0)
        result = synthesise(
            self._expander.plan(corpus, guide, seed),
            generator=model,
            judge=Judge(model, prompts, guide),
            prompts=prompts,
            pool=pool,
            known=(),
            measure=TextProfile(2, 20),
            language="it",
            model="obedient",
            checkpoint=no_checkpoint,
        )
        yield from result.made


def _llm(folder: Path) -> Expander:
    return Asking(folder, create(Kind.EXPANDER, "llm", {"folder": folder, "texts": 4}))


def _replace(_folder: Path) -> Expander:
    """The example of CONTRIBUTING.md."""
    return create(Kind.EXPANDER, "replace", {"words": {"Cerchiamo": "Si cerca"}})


WAYS: dict[str, Callable[[Path], Expander]] = {
    "counterfactual": _counterfactual,
    "llm": _llm,
    "replace": _replace,
}


@pytest.fixture(params=names(Kind.EXPANDER))
def expander(request: pytest.FixtureRequest, tmp_path: Path) -> Expander:
    return WAYS[request.param](tmp_path)


PARENT = seed_item("root", SEED["text"])


def test_makes_synthetic_train_items_of_its_parents(expander: Expander) -> None:
    made = list(expander.expand([(PARENT, ("gender",))], seed=1))
    assert made
    for one in made:
        assert one.item.origin is Origin.SYNTHETIC
        assert one.item.split is Split.TRAIN
        assert set(one.item.parents) == {PARENT.id}
        assert set(one.item.roots) >= set(PARENT.roots)
        assert one.item.operation
        assert one.item.text.strip()
        assert one.source in (LabelSource.CONSTRUCTED, LabelSource.LLM)


def test_the_same_input_gives_the_same_output(expander: Expander) -> None:
    parents = [(PARENT, ("gender",))]
    assert list(expander.expand(parents, seed=3)) == list(expander.expand(parents, seed=3))


def test_never_descends_from_an_audit_item(expander: Expander) -> None:
    ad = Ad("ad", SEED["text"])
    audit: Item = real_item(ad, 0, len(ad.text), Split.AUDIT)
    assert list(expander.expand([(audit, ("gender",))], seed=1)) == []


def test_repeats_no_text_of_the_batch(expander: Expander) -> None:
    version = seed_item("other", SEED["versions"][0]["text"].upper())
    twin = seed_item("twin", SEED["text"])
    parents = [(PARENT, ("gender",)), (version, ("gender",)), (twin, ("gender",))]
    hashes = [made.item.text_hash for made in expander.expand(parents, seed=1)]
    assert len(hashes) == len(set(hashes))
    assert not {item.text_hash for item, _ in parents} & set(hashes)


def test_no_parents_no_items(expander: Expander) -> None:
    assert list(expander.expand([], seed=1)) == []


@pytest.mark.parametrize("name", names(Kind.EXPANDER))
def test_refuses_unknown_options(name: str) -> None:
    with pytest.raises(ConfigError, match="nonsense"):
        create(Kind.EXPANDER, name, {"nonsense": 1})
