"""Tunings: makes one, lists them, drops one, and merges one into its base."""

import json
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from filelock import FileLock, Timeout

from biasloop import __version__
from biasloop.domain.pair import LONG, PairSource, longer_chosen_share
from biasloop.errors import ConfigError, DataError, WorkspaceError
from biasloop.rounds.child import job_folder, run_job
from biasloop.service.service import Service
from biasloop.service.tuning_pairs import CampaignPairs
from biasloop.store.atomic import written_whole
from biasloop.tuning.handover import Method, Recipe, TuneJob, adapter_folder, curve_file, steps_done
from biasloop.workspace.layout import Layout

if TYPE_CHECKING:
    from biasloop.tuning.plan import Plan

CARD, PAIRS = "card.json", "pairs.parquet"
LEAST = {Method.SFT: 50, Method.DPO: 100}
"""Least number of pairs to learn from: with fewer, models forget or babble."""
LEAST_AUTHORS = 5
"""Least number of people whose texts teach a model, so that it does not repeat those of one."""
PACKAGES = ("peft", "torch", "transformers", "trl")
INSTALL = "tuning needs more packages: pip install 'biasloop[tune]'"
UNCHECKED = "the rewrites of seeds were written by a language model and checked by nobody"

Card = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """What to tune: a base (a folder), or the tuning `on`, which goes on learning. `anyway`: also
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
    """What the card has to say about the pairs. Raises DataError if they are too few, or from too
    few people, and `anyway` is not given."""
    reasons = []
    if len(pairs.pairs) < (least := LEAST[request.recipe.method]):
        reasons.append(f"{len(pairs.pairs)} pairs; a tuning needs {least}")
    if pairs.authors and pairs.authors < LEAST_AUTHORS:
        reasons.append(f"rewrites of {pairs.authors} people; a tuning needs {LEAST_AUTHORS}")
    if reasons and not request.anyway:
        raise DataError(
            f"{'; '.join(reasons)}, or --anyway, which the card will say; label with rewrites, or "
            "import seeds that have some"
        )
    share = longer_chosen_share(pairs.pairs)
    if share > LONG and request.recipe.method is Method.DPO:
        reasons.append(f"the preferred answer is the longer one in {share:.0%} of the pairs")
    if any(pair.source is PairSource.SEED for pair in pairs.pairs):
        reasons.append(UNCHECKED)
    return reasons


def base_of(layout: Layout, base: str | None, on: str | None) -> Path:
    """The folder of a base by folder or name; without one, that of the tuning `on`.

    Raises ConfigError when there is no such base, or it is another one than that of `on`.
    """
    if base is None and on is None:
        raise ConfigError("--base names the model to tune: a folder, or a name on the model hub")
    from biasloop.tuning.base import content_hash, find_base

    folder = find_base(base or card_of(layout, on or "")["base"]["folder"])
    if on and content_hash(folder) != card_of(layout, on)["base"]["hash"]:
        raise ConfigError(f"{folder} is not the base of {on}; give that one with --base")
    return folder


def plan(request: Request, pairs: CampaignPairs) -> "Plan":
    """What the tuning takes. Raises ConfigError for a base that cannot be tuned."""
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
    """Tunes in a child process and stores the tuning; returns its card. A killed tuning goes on
    where it was with the same call. `progress` gets the number of steps done.

    Raises DataError as `check_pairs` does, WorkspaceError when another tuning is running or there
    is none to begin with, and what the child raises.
    """
    notes = check_pairs(pairs, request)
    with _only_tuning(service.layout):
        on = _adapter_of(service.layout, request.on) if request.on else None
        job = TuneJob(request.base, on, request.recipe, request.placebo)
        frame = pd.DataFrame([asdict(pair) for pair in pairs.pairs])
        folder = job_folder(service.layout.job(None, "tune"), job, pairs=frame)
        result = run_job(folder, job, lambda: progress(steps_done(folder)))
        card = _card(service, request, pairs, notes, result)
        _store(service.layout, folder, card)
        shutil.rmtree(service.layout.job(None, "tune"), ignore_errors=True)
    return card


def cards(layout: Layout) -> list[Card]:
    """The cards of all tunings, oldest first; those of dropped ones say so."""
    return [
        json.loads(path.read_text("utf-8"))
        for path in sorted(layout.tunings.glob(f"t[0-9]*/{CARD}"), key=_number)
    ]


def card_of(layout: Layout, tuning: str) -> Card:
    """The card of a tuning. Raises WorkspaceError when there is none of that id."""
    known = {card["tuning"]: card for card in cards(layout)}
    if tuning not in known:
        raise WorkspaceError(f"there is no tuning {tuning!r}; known: {', '.join(known) or 'none'}")
    return known[tuning]


def drop(layout: Layout, tuning: str) -> None:
    """Deletes adapter and texts of a tuning; its card stays. Raises WorkspaceError."""
    card = card_of(layout, tuning) | {"dropped": True}
    folder = layout.tunings / tuning
    with written_whole(folder / CARD) as temporary:
        temporary.write_text(_json(card), "utf-8")
    for path in (adapter_folder(folder), curve_file(folder), folder / PAIRS):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def merge(service: Service, tuning: str, base: Path, to: Path) -> None:
    """Writes base and adapter as one model, in single precision, into the new folder `to`.

    `base` is that of the tuning (see `base_of`). Raises WorkspaceError when something is there or
    the tuning was dropped.
    """
    adapter = _adapter_of(service.layout, tuning)
    if to.exists():
        raise WorkspaceError(f"{to} exists already; give a new folder")
    from biasloop.tuning.merging import merge_adapter

    with written_whole(to) as temporary:
        merge_adapter(base, adapter, temporary)


def forget_pairs(layout: Layout, ad_id: str) -> None:
    """Blanks the pairs of an ad in the texts of all tunings; adapters are as they were."""
    for path in layout.tunings.glob(f"t[0-9]*/{PAIRS}"):
        frame = pd.read_parquet(path)
        of_ad = frame["root"] == ad_id
        if of_ad.any():
            frame.loc[of_ad, ["system", "prompt", "chosen", "rejected"]] = ""
            with written_whole(path) as temporary:
                frame.to_parquet(temporary)


def tunings_of_ad(layout: Layout, ad_id: str) -> list[str]:
    """The tunings that learned from an ad and have not been dropped."""
    paths = sorted(layout.tunings.glob(f"t[0-9]*/{PAIRS}"))
    return [p.parent.name for p in paths if (pd.read_parquet(p)["root"] == ad_id).any()]


def _adapter_of(layout: Layout, tuning: str) -> Path:
    if card_of(layout, tuning).get("dropped"):
        raise WorkspaceError(f"the tuning {tuning} was dropped; take another one")
    return adapter_folder(layout.tunings / tuning).resolve()


@contextmanager
def _only_tuning(layout: Layout) -> Iterator[None]:
    layout.work.mkdir(parents=True, exist_ok=True)
    lock = FileLock(layout.folder / "tune.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise WorkspaceError(
            "another tuning is running in this workspace; wait until it has ended, then tune again"
        ) from None
    try:
        yield
    finally:
        lock.release()


def _card(
    service: Service,
    request: Request,
    pairs: CampaignPairs,
    notes: list[str],
    result: Mapping[str, Any],
) -> Card:
    from biasloop.tuning.base import content_hash, read_tokenizer, template_hash

    numbers = [_number(path) for path in service.layout.tunings.glob(f"t[0-9]*/{CARD}")]
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
        (folder / CARD).write_text(_json(card), "utf-8")


def _json(card: Card) -> str:
    return json.dumps(card, ensure_ascii=False, indent=2) + "\n"


def _number(card: Path) -> int:
    return int(re.sub(r"\D", "", card.parent.name))
