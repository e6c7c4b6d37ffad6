"""The parts around the client: retries, answers, prompts, the judge, near-duplicates."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.domain.label import Scheme
from biasloop.domain.policy import Policy
from biasloop.domain.writing.judgement import Judgement, combine_samples
from biasloop.domain.writing.prompt import Answer, Problem, object_schema
from biasloop.domain.writing.screening import word_similarity, words
from biasloop.domain.writing.synthesis import CampaignBrief
from biasloop.errors import CampaignError
from biasloop.llm import prompting
from biasloop.llm.answers import read_answer
from biasloop.llm.judge import judge_prompts
from biasloop.llm.prompting import fenced, read_prompts
from biasloop.llm.retry import BASE_SECONDS, CAP_SECONDS, seconds_to_next_try
from biasloop.rounds.steps.expand.near_duplicates import ALIKE, NearDuplicates

REPOSITORY = Path(__file__).parents[2]
WORDS = tomllib.loads((prompting.HERE / "words.toml").read_text("utf-8"))
SCHEME = Scheme(("gender", "age"), multi=True, none_label="inclusive")
SCHEMA = object_schema({"text": {"type": "string"}})

# --- retries --------------------------------------------------------------------------------------


@given(st.integers(1, 1000), st.floats(0, 500), st.floats(0, 1))
def test_waits_double_up_to_a_cap_and_end_with_the_patience(
    attempt: int, elapsed: float, draw: float
) -> None:
    wait = seconds_to_next_try(attempt, elapsed, 120, None, draw)
    longest = min(CAP_SECONDS, BASE_SECONDS * 2.0 ** min(attempt - 1, 20))
    if wait is None:
        assert elapsed + longest > 120
    else:
        assert longest / 2 <= wait <= longest
        assert elapsed + wait <= 120


def test_a_wait_that_the_server_names_is_kept() -> None:
    assert seconds_to_next_try(5, 0, 120, 7.5, 0.3) == 7.5
    assert seconds_to_next_try(1, 100, 120, 30.0, 0.0) is None
    assert seconds_to_next_try(1, 0, 120, -3.0, 0.0) == 0


# --- answers --------------------------------------------------------------------------------------


@given(st.text(), st.text(alphabet=st.characters(exclude_characters="{")), st.text())
def test_the_object_is_found_in_any_surrounding_text(text: str, before: str, after: str) -> None:
    raw = before + json.dumps({"text": text}) + after
    assert read_answer(raw, SCHEMA) == {"text": text}


@given(st.text())
def test_any_text_can_be_read(raw: str) -> None:
    read_answer(raw, SCHEMA)


def test_it_says_what_is_wrong() -> None:
    assert read_answer("no", SCHEMA) == "no JSON object in it"
    message = read_answer('{"a": 1}', SCHEMA)
    assert "'text' is a required property" in message
    assert "'a' was unexpected" in message


# --- prompts --------------------------------------------------------------------------------------


@given(st.text())
def test_a_fenced_text_cannot_leave_its_fence(text: str) -> None:
    fence = fenced(text)
    mark = fence[3:11]
    inside = fence[12 : -len(mark) - 4]
    assert json.loads(inside) == text
    assert mark not in text or len(text) < 3
    assert "\n" not in inside


@pytest.mark.parametrize("campaign", ["job_ads_it", "job_ads_en"])
def test_shipped_campaigns_have_prompts(campaign: str) -> None:
    folder = REPOSITORY / "annotation_config" / campaign
    prompts = read_prompts(folder)
    guide = CampaignBrief(SCHEME, {"age": "…"}, Policy("# Guide"))
    system, user = prompts.render(
        "rewrite", kind="drop", label="age", labels=("inclusive",), text="Età \"30\"",
        definitions=guide.definitions, excerpt="…",
    )  # fmt: skip
    assert "age" in system
    assert 'Età \\"30\\"' in user
    assert ("parole possibile" in system) == (campaign == "job_ads_it")
    for pattern in prompts.filters.meta_talk:
        re.compile(pattern)
    assert re.fullmatch("[0-9a-f]{8}", prompts.version)


def test_every_seed_passes_the_meta_talk_filter_of_its_campaign() -> None:
    prompts = read_prompts(REPOSITORY / "annotation_config" / "job_ads_it")
    patterns = [re.compile(p, re.IGNORECASE) for p in prompts.filters.meta_talk]
    texts = [
        json.loads(line)["text"]
        for path in (REPOSITORY / "seeds" / "job_ads_it").glob("*.jsonl")
        for line in path.read_text("utf-8").split("\n")
        if line
    ]
    refused = [text for text in texts if any(p.search(text) for p in patterns)]
    assert len(refused) < len(texts) / 500, refused


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[say]\nrole = 'x'", "keys missing or unknown"),
        ("[cells]\nsector = 1", "cells.sector"),
        ("[filters]\nmeta_talk = ['(']", "not a regular expression"),
        ("[say", "cannot be used"),
    ],
)
def test_a_wrong_prompts_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "prompts.toml").write_text(content)
    with pytest.raises(CampaignError, match=re.escape(message)) as error:
        read_prompts(tmp_path)
    assert str(tmp_path / "prompts.toml") in str(error.value)


@pytest.mark.parametrize(
    "attack",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ cycler.__init__.__globals__.os.popen('touch OWNED').read() }}",
        "{{ say.__init__.__globals__ }}",
        "{{ ('%s' | attr('__class__')).mro() }}",
        "{{ text.__class__.__base__ }}",
        "{{ lipsum.__globals__['os'].environ }}",
    ],
)
def test_the_words_of_a_campaign_run_no_code(tmp_path: Path, attack: str) -> None:
    lines = [f"{key} = {json.dumps(attack)}" for key in WORDS["say"]]
    (tmp_path / "prompts.toml").write_text("[say]\n" + "\n".join(lines), "utf-8")
    prompts = read_prompts(tmp_path)
    with pytest.raises(CampaignError, match=r"prompts\.toml"):
        prompts.render("guard", code="ABC", text="A text.")


def test_other_words_are_another_version(tmp_path: Path) -> None:
    assert (
        read_prompts(tmp_path).version
        != read_prompts(REPOSITORY / "annotation_config" / "job_ads_it").version
    )


# --- the judge ------------------------------------------------------------------------------------


def sample(*labels: str) -> Answer:
    return Answer({"reason": "+".join(labels), "labels": list(labels)})


def test_most_samples_win() -> None:
    samples = [sample("age"), sample("age", "gender"), sample("gender", "age")]
    assert combine_samples(samples, SCHEME) == Judgement(("gender", "age"), 2 / 3, "age+gender")
    assert combine_samples([sample("inclusive")], SCHEME) == Judgement(
        ("inclusive",), 1.0, "inclusive"
    )


def test_samples_that_contradict_themselves_lower_the_confidence() -> None:
    samples = [sample("age"), sample("age", "inclusive"), sample()]
    assert combine_samples(samples, SCHEME) == Judgement(("age",), 1 / 3, "age")
    assert combine_samples([sample("age", "inclusive")], SCHEME) is Problem.SCHEMA
    assert (
        combine_samples([Answer(problem=Problem.NO_ANSWER), sample()], SCHEME) is Problem.NO_ANSWER
    )


def test_samples_differ_by_their_number_only(tmp_path: Path) -> None:
    guide = CampaignBrief(SCHEME, {"age": "an age"}, Policy("# Guide\n\nAll of it."))
    one, two = judge_prompts(read_prompts(tmp_path), guide, 2, "A text.", ("ad-1",))
    assert (one.sample, two.sample) == (0, 1)
    assert (one.system, one.user, one.roots) == (two.system, two.user, ("ad-1",))
    assert "All of it." in one.system
    assert "A text." not in one.system
    (single,) = judge_prompts(read_prompts(tmp_path), guide, 1, "A text.", ())
    assert single.temperature == 0 < one.temperature


# --- near-duplicates ------------------------------------------------------------------------------

VOCABULARY = [f"parola{n}" for n in range(400)]
texts = st.lists(st.sampled_from(VOCABULARY), min_size=1, max_size=25).map(" ".join)


@given(st.lists(texts, min_size=1, max_size=6), st.lists(texts, max_size=6))
def test_only_similar_texts_are_found(indexed: list[str], asked: list[str]) -> None:
    index = NearDuplicates()
    index.add(indexed)
    for position, number in index.similar_pairs([*asked, *indexed]):
        assert word_similarity([*asked, *indexed][position], indexed[number]) >= ALIKE
    itself = {(i, i) for i in range(len(indexed))}
    assert itself <= set(index.similar_pairs(indexed))


def test_one_other_word_in_twelve_is_found() -> None:
    index = NearDuplicates()
    sentences = [" ".join(VOCABULARY[n : n + 12]) for n in range(0, 360, 12)]
    index.add(sentences)
    edits = [sentence.replace(words(sentence)[5], "altra") for sentence in sentences]
    matches = {number for _, number in index.similar_pairs(edits)}
    assert len(matches) >= 0.9 * len(sentences)
