"""tune sft|dpo, tune list|show|drop|merge."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biasloop.cli.context import (
    Json,
    Workspace,
    Yes,
    confirm,
    fail,
    open_workspace,
    print_json,
    progress,
    say,
    table,
    warn,
)

if TYPE_CHECKING:
    from biasloop.service.tuning_pairs import CampaignPairs
    from biasloop.tuning.plan import Plan

MAX_LISTED = 10
"""Pairs of a kind that are named; --json has all of them."""
GIB = 2**30

app = typer.Typer(no_args_is_help=True)

Tuning = Annotated[str, typer.Argument(help="Id of the tuning, such as t0001.")]
Base = Annotated[
    str | None,
    typer.Option(help="Folder of the model to tune, or its name on the model hub."),
]
On = Annotated[str | None, typer.Option(help="Tuning that learns further, on the same base.")]
Source = Annotated[
    list[str] | None,
    typer.Option(help="seed or human: whose rewrites it learns. Default: both."),
]
Placebo = Annotated[
    bool,
    typer.Option(
        "--placebo", help="Learn the model's own earlier answers instead, for comparison."
    ),
]
FourBit = Annotated[bool, typer.Option("--four-bit", help="Keep the base in four bits (QLoRA).")]
Rate = Annotated[
    float | None,
    typer.Option(help="Learning rate. Default: 1e-4 sft, 1e-5 dpo.", min=1e-9, max=1),
]
Epochs = Annotated[int, typer.Option(help="How often every pair is seen.", min=1)]
Length = Annotated[int, typer.Option(help="Longest pair that is permitted, in tokens.", min=16)]
Seed = Annotated[int, typer.Option(help="Seed of all random numbers.")]
PlanOnly = Annotated[bool, typer.Option("--plan", help="Say what it takes, and do nothing.")]
Anyway = Annotated[
    bool, typer.Option("--anyway", help="Tune even on too few pairs or authors; the card says so.")
]


def add_to(root: typer.Typer) -> None:
    """Adds the commands of this file."""
    root.add_typer(app, name="tune")


@app.callback()
def tune(_workspace: Workspace = None) -> None:
    """Tunes a language model on what the campaign knows."""


def _add_command(name: str, help: str) -> None:
    """Adds the command that tunes by the method of this name."""

    @app.command(name, help=help)
    def tune_by_method(
        base: Base = None,
        on: On = None,
        source: Source = None,
        placebo: Placebo = False,
        four_bit: FourBit = False,
        learning_rate: Rate = None,
        epochs: Epochs = 3,
        max_length: Length = 1024,
        seed: Seed = 0,
        plan: PlanOnly = False,
        anyway: Anyway = False,
        json: Json = False,
        workspace: Workspace = None,
    ) -> None:
        from biasloop.domain.pair import PairSource
        from biasloop.service import tunings
        from biasloop.service.tuning_pairs import read_pairs
        from biasloop.tuning.handover import LEARNING_RATES, Method, Recipe

        tunings.require_packages()
        service = open_workspace(workspace)
        method = Method(name)
        recipe = Recipe(
            method,
            learning_rate or LEARNING_RATES[method],
            epochs=epochs,
            max_length=max_length,
            four_bit=four_bit,
            seed=seed,
        )
        sources = tuple(_parse_source(each) for each in source or PairSource)
        folder = tunings.resolve_base(service.layout, base, on)
        request = tunings.Request(folder, on, recipe, sources, placebo=placebo, anyway=anyway)
        pairs = read_pairs(service, sources)
        planned = tunings.plan_tuning(request, pairs)
        if plan:
            _print_plan(planned, pairs, tunings.check_pairs(pairs, request), json)
            return
        if planned.too_long:
            raise fail(
                f"{len(planned.too_long)} pairs are longer than {max_length} tokens (the longest "
                f"has {planned.longest}); raise --max-length, or see --plan for which they are"
            )
        with progress("tune, steps", planned.steps) as done:
            card = tunings.tune(service, request, pairs, done)
        if json:
            print_json(card)
            return
        say(f"{card['tuning']}: {card['steps']} steps on {_counts(card['pairs'])}")
        for note in card["notes"]:
            say(f"  note: {note}")


_add_command("sft", "Teaches a model to rewrite sentences as the campaign does.")
_add_command("dpo", "Teaches a model to prefer rewrites to the sentences.")


def _print_plan(plan: "Plan", pairs: "CampaignPairs", notes: list[str], json: bool) -> None:
    if json:
        refused = [asdict(pair) for pair in pairs.refused]
        print_json(asdict(plan) | {"refused": refused, "notes": notes})
        return
    say(f"{plan.rows} pairs, {plan.tokens} tokens (longest {plan.longest}), {plan.steps} steps")
    say(
        f"{plan.trained:,} of {plan.parameters:,} parameters are trained; "
        f"{plan.memory / GIB:.1f} GiB, and activations"
    )
    _list_pairs([f"too long: {pair_id}" for pair_id in plan.too_long])
    _list_pairs([f"left out: {pair}" for pair in pairs.refused])
    for note in notes:
        say(f"note: {note}")


def _list_pairs(lines: list[str]) -> None:
    for line in lines[:MAX_LISTED]:
        warn(f"  {line}")
    if (more := len(lines) - MAX_LISTED) > 0:
        warn(f"  {more} more; --json lists them")


@app.command("list")
def list_(json: Json = False, workspace: Workspace = None) -> None:
    """Lists all tunings, newest last."""
    from biasloop.service import tunings

    cards = tunings.read_cards(open_workspace(workspace).layout)
    if json:
        print_json(cards)
    elif not cards:
        say("no tuning yet; `biasloop tune sft --base FOLDER --plan` says what one takes")
    else:
        columns = ["tuning", "method", "on", "base", "pairs", "steps", "loss", "state"]
        table([_row(card) for card in cards], columns)


@app.command()
def show(tuning: Tuning, json: Json = False, workspace: Workspace = None) -> None:
    """Shows the card of a tuning."""
    from biasloop.service import tunings

    card = tunings.read_card(open_workspace(workspace).layout, tuning)
    if json:
        print_json(card)
        return
    for name, value in card.items():
        if isinstance(value, dict):
            value = ", ".join(f"{key} {inner}" for key, inner in value.items())  # noqa: PLW2901
        elif isinstance(value, list):
            value = "; ".join(value) or "—"  # noqa: PLW2901
        say(f"{name:>10}  {'—' if value is None else value}")


@app.command()
def drop(tuning: Tuning, yes: Yes = False, workspace: Workspace = None) -> None:
    """Deletes a tuning. Its card stays."""
    from biasloop.service import tunings

    confirm(f"Delete the tuning {tuning} for good?", yes)
    tunings.drop(open_workspace(workspace).layout, tuning)
    say(f"{tuning} is dropped; its card stays")


@app.command()
def merge(
    tuning: Tuning,
    to: Annotated[Path, typer.Option(help="New folder for the merged model.")],
    base: Base = None,
    workspace: Workspace = None,
) -> None:
    """Writes base and tuning as one model."""
    from biasloop.service import tunings

    tunings.require_packages()
    service = open_workspace(workspace)
    tunings.merge(service, tuning, tunings.resolve_base(service.layout, base, tuning), to)
    say(f"{to}: {tuning} and its base as one model")


def _parse_source(name: str) -> Any:
    from biasloop.domain.pair import PairSource

    if name not in list(PairSource):
        raise fail(f"--source {name}: there are {', '.join(PairSource)}")
    return PairSource(name)


def _row(card: dict[str, Any]) -> dict[str, Any]:
    return {
        "tuning": card["tuning"],
        "method": card["recipe"]["method"] + (" (placebo)" if card["placebo"] else ""),
        "on": card["on"],
        "base": Path(card["base"]["folder"]).name,
        "pairs": _counts(card["pairs"]),
        "steps": card["steps"],
        "loss": f"{card['loss']:.3f}",
        "state": "dropped" if card.get("dropped") else "",
    }


def _counts(pairs: dict[str, int]) -> str:
    return ", ".join(f"{n} {source}" for source, n in pairs.items())
