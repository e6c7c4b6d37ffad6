"""Campaigns of a few lines, and workspaces that are made from them as users do it: by commands."""

import random
from collections.abc import Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

from support.cli import Cli

WORDS = (
    *("cucina", "sala", "turno", "orario", "contratto", "negozio", "cliente", "ufficio", "team"),
    *("viaggio", "corso", "premio", "ferie", "merce", "cassa", "banco", "forno", "porta", "zona"),
)


def make_campaign(
    folder: Path,
    *labels: str,
    none_label: str | None = None,
    multi: bool = True,
    unit: str = "text",
    title: str = "Prova",
    controls: str = "",
) -> Path:
    """The files of a campaign with these labels; `controls` are added to its labelling page."""
    choices = "".join(f"<Choice value={quoteattr(label)}/>" for label in labels)
    folder.mkdir(exist_ok=True)
    (folder / "label_config.xml").write_text(
        '<View><Text name="text" value="$text"/><Choices name="label" toName="text" '
        f'choice="{"multiple" if multi else "single-radio"}">{choices}</Choices>{controls}</View>'
    )
    (folder / "guidelines.md").write_text("# Prova\n")
    about = f'name = "prova"\ntitle = "{title}"\nlanguage = "it"\nunit = "{unit}"\n'
    if none_label:
        about += f'none_label = "{none_label}"\n'
    (folder / "campaign.toml").write_text(about)
    return folder


def make_small_workspace(folder: Path, campaign: Path, files: Sequence[Path] = ()) -> Cli:
    """The command line on a new workspace of this campaign with these files imported."""
    cli = Cli(folder)
    cli("init", folder, "--campaign", campaign, "--seed", 0)
    for file in files:
        cli("import", file, "--label-source", "human")
    return cli


def draw_texts(count: int, seed: int) -> list[str]:
    """Texts of seven words that mean nothing together."""
    draw = random.Random(seed)
    return [" ".join(draw.sample(WORDS, 7)) for _ in range(count)]
