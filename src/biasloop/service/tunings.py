"""Tunings: makes one, lists them, drops one, and merges one into its base."""

import json
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from biasloop import __version__
from biasloop.domain.pair import MOSTLY_LONGER, PairSource, longer_chosen_share
from biasloop.errors import ConfigError, DataError, WorkspaceError
from biasloop.rounds.child import job_folder, run_job
from biasloop.service.exclusive import only_one
from biasloop.service.service import Service
from biasloop.service.tuning_pairs import CampaignPairs
from biasloop.store.atomic import written_whole
from biasloop.tuning.handover import Method, Recipe, TuneJob, adapter_folder, curve_file, steps_done
from biasloop.workspace.layout import Layout

if TYPE_CHECKING:
    from biasloop.tuning.plan import Plan

CARD, PAIRS = "card.json", "pairs.parquet"
LEAST_PAIRS = {Method.SFT: 50, Method.DPO: 100}
"""Least number of pairs to learn from: with fewer, models forget or babble."""
LEAST_AUTHORS = 5
"""Least number of people whose texts teach a model, so that it does not repeat those of one."""
ID = re.compile(r"t\d+")
PACKAGES = ("peft", "torch", "transformers", "trl")
RUNNING = "another tuning is running in this workspace; wait until it has ended, then tune again"
INSTALL = "tuning needs more packages: pip install 'biasloop[tune]'"
UNCHECKED = "the rewrites of seeds were written by a language model and checked by nobody"

Card = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What to tune, and on what: the `base` (a folder), with the adapter of the tuning `on` if one
    is given, on pairs from `sources`. `placebo`: on the model's own answers instead; `anyway`: also
    with fewer pairs or authors than a tuning needs."""

    base: Path
    on: str | None
    recipe: Recipe
    sources: tuple[PairSource, ...]
    placebo: bool = False
    anyway: bool = False


def require_packages() -> None:
    """Raises ConfigError if what tuning needs is not installed."""
    if find_spec("trl") is None:
        raise ConfigError(INSTALL)


def check_pairs(pairs: CampaignPairs, request: Request) -> list[str]:
    """The notes about the pairs for the card.

    Raises DataError if they are too few, or from too few people, and `anyway` is not given.
    """
    notes = []
    if len(pairs.pairs) < (least := LEAST_PAIRS[request.recipe.method]):
        notes.append(f"{len(pairs.pairs)} pairs; a tuning needs {least}")
    if pairs.authors and pairs.authors < LEAST_AUTHORS:
        notes.append(f"rewrites of {pairs.authors} people; a tuning needs {LEAST_AUTHORS}")
    if notes and not request.anyway:
        raise DataError(
            f"{'; '.join(notes)}; collect rewrites while labelling, import seeds with rewrites, or "
            "tune with --anyway, which the card then says"
        )
    share = longer_chosen_share(pairs.pairs)
    if share > MOSTLY_LONGER and request.recipe.method is Method.DPO:
        notes.append(f"the preferred answer is the longer one in {share:.0%} of the pairs")
    if any(pair.source is PairSource.SEED for pair in pairs.pairs):
        notes.append(UNCHECKED)
    return notes


def resolve_base(layout: Layout, base: str | None, on: str | None) -> Path:
    """The folder of the model `base` (a folder, or a name on the model hub, which is downloaded
    once); without one, that of the base of the tuning `on`.

    Raises ConfigError when there is no such model, or when it is not the base of `on`, and
    WorkspaceError when there is no such tuning.
    """
    if base is None and on is None:
        raise ConfigError("--base names the model to tune: a folder, or a name on the model hub")
    from biasloop.tuning.base import content_hash, find_base

    folder = find_base(base or read_card(layout, on or "")["base"]["folder"])
    if on and content_hash(folder) != read_card(layout, on)["base"]["hash"]:
        raise ConfigError(f"{folder} is not the base of {on}; give that one with --base")
    return folder


def plan_tuning(request: Request, pairs: CampaignPairs) -> "Plan":
    """What the tuning will take. Raises ConfigError for a base that cannot be tuned."""
    import torch

    from biasloop.tuning.plan import make_plan

    on_gpu = torch.cuda.is_available()
    return make_plan(pairs.pairs, request.base, request.recipe, on_gpu=on_gpu)


def tune(
    service: Service,
    request: Request,
    pairs: CampaignPairs,
    progress: Callable[[int], None],
) -> Card:
    """Tunes in a child process and stores the tuning; returns its card. After a kill, the same
    call resumes where the tuning stopped. `progress` gets the number of steps done.

    Raises DataError as `check_pairs` does, WorkspaceError when another tuning is running or there
    is no tuning `on`, and what the child raises.
    """
    notes = check_pairs(pairs, request)
    with only_one(service.layout.folder / "tune.lock", RUNNING):
        on = _find_adapter(service.layout, request.on) if request.on else None
        job = TuneJob(request.base, on, request.recipe, request.placebo)
        frame = pd.DataFrame([asdict(pair) for pair in pairs.pairs])
        folder = job_folder(service.layout.job(None, "tune"), job, pairs=frame)
        result = run_job(folder, job, lambda: progress(steps_done(folder)))
        card = _make_card(service, request, pairs, notes, result)
        _store(service.layout, folder, card)
        shutil.rmtree(service.layout.job(None, "tune"), ignore_errors=True)
    return card


def read_cards(layout: Layout) -> list[Card]:
    """The cards of all tunings, oldest first; those of dropped tunings have `dropped`."""
    return [json.loads(path.read_text("utf-8")) for path in _files(layout, CARD)]


def read_card(layout: Layout, tuning: str) -> Card:
    """The card of a tuning. Raises WorkspaceError when there is none of that id."""
    known = {card["tuning"]: card for card in read_cards(layout)}
    if tuning not in known:
        raise WorkspaceError(f"there is no tuning {tuning!r}; known: {', '.join(known) or 'none'}")
    return known[tuning]


def drop(layout: Layout, tuning: str) -> None:
    """Deletes adapter, curve and pairs of a tuning; its card stays, marked as dropped.

    Raises WorkspaceError when there is no tuning of that id.
    """
    card = read_card(layout, tuning) | {"dropped": True}
    folder = layout.tunings / tuning
    with written_whole(folder / CARD) as temporary:
        temporary.write_text(_to_json(card), "utf-8")
    for path in (adapter_folder(folder), curve_file(folder), folder / PAIRS):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def merge(service: Service, tuning: str, base: Path, to: Path) -> None:
    """Writes base and adapter as one model, in single precision, into the new folder `to`.

    `base` is that of the tuning (see `resolve_base`). Raises WorkspaceError when `to` exists or the
    tuning was dropped.
    """
    adapter = _find_adapter(service.layout, tuning)
    if to.exists():
        raise WorkspaceError(f"{to} exists already; give a new folder")
    from biasloop.tuning.merging import merge_adapter

    with written_whole(to) as temporary:
        merge_adapter(base, adapter, temporary)


def forget_pairs(layout: Layout, ad_id: str) -> None:
    """Blanks the texts of the pairs of an ad in all tunings; adapters stay as they were."""
    for path in layout.tunings.glob(f"*/{PAIRS}"):  # also in what a killed tuning left
        frame = pd.read_parquet(path)
        of_ad = _is_of_ad(frame, ad_id)
        if of_ad.any():
            frame.loc[of_ad, ["system", "prompt", "chosen", "rejected"]] = ""
            with written_whole(path) as temporary:
                frame.to_parquet(temporary)


def tunings_of_ad(layout: Layout, ad_id: str) -> list[str]:
    """The tunings that learned from an ad and have not been dropped."""
    return [
        path.parent.name
        for path in _files(layout, PAIRS)
        if _is_of_ad(pd.read_parquet(path, columns=["roots"]), ad_id).any()
    ]


def _is_of_ad(pairs: pd.DataFrame, ad_id: str) -> "pd.Series[bool]":
    """Which pairs descend from an ad, also if they descend from others as well."""
    return pairs["roots"].map(lambda roots: ad_id in list(roots)).astype(bool)


def _find_adapter(layout: Layout, tuning: str) -> Path:
    if read_card(layout, tuning).get("dropped"):
        raise WorkspaceError(f"the tuning {tuning} was dropped; take another one")
    return adapter_folder(layout.tunings / tuning).resolve()


def _make_card(
    service: Service,
    request: Request,
    pairs: CampaignPairs,
    notes: list[str],
    result: Mapping[str, Any],
) -> Card:
    from biasloop.tuning.base import content_hash, read_tokenizer, template_hash

    numbers = [_number(path) for path in _files(service.layout, CARD)]
    sources = [str(pair.source) for pair in pairs.pairs]
    return {
        "tuning": f"t{max(numbers, default=0) + 1:04d}",
        "made_at": datetime.now(UTC).isoformat(),
        "base": {"folder": str(request.base), "hash": content_hash(request.base)},
        "on": request.on,
        "placebo": request.placebo,
        "recipe": asdict(request.recipe),
        "pairs": {source: sources.count(source) for source in sorted(set(sources))},
        "refused": len(pairs.refused),
        "authors": pairs.authors,
        "guideline": service.current_policy.id,
        "template": template_hash(read_tokenizer(request.base)),
        "steps": result["steps"],
        "loss": result["loss"],
        "notes": notes,
        "versions": {"biasloop": __version__, **{name: version(name) for name in PACKAGES}},
    }


def _store(layout: Layout, job: Path, card: Card) -> None:
    with written_whole(layout.tunings / card["tuning"]) as folder:
        folder.mkdir(parents=True)
        shutil.copytree(adapter_folder(job), adapter_folder(folder))
        shutil.copy(curve_file(job), curve_file(folder))
        shutil.copy(job / PAIRS, folder / PAIRS)
        (folder / CARD).write_text(_to_json(card), "utf-8")


def _to_json(card: Card) -> str:
    return json.dumps(card, ensure_ascii=False, indent=2) + "\n"


def _files(layout: Layout, name: str) -> list[Path]:
    """The file of this name of each tuning, oldest first. A folder that a kill left half-written is
    not a tuning."""
    paths = layout.tunings.glob(f"*/{name}")
    return sorted((path for path in paths if ID.fullmatch(path.parent.name)), key=_number)


def _number(file: Path) -> int:
    """The number of the tuning that has this file."""
    return int(file.parent.name.removeprefix("t"))
