"""Saves and loads the state from which an interrupted training resumes."""

from functools import partial
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from biasloop.store.atomic import read_if_intact, written_whole

MOMENTS = ("exp_avg", "exp_avg_sq", "step")
"""The tensors that AdamW stores for each weight."""


def part_of(file: Path) -> str:
    """The training and its part that a file belongs to; it is stored within, so that a file of
    another training is told by it."""
    return f"{file.parent.name}/{file.stem}"


def save_training(
    file: Path, network: torch.nn.Module, optimizer: torch.optim.Optimizer, epochs: int
) -> None:
    """Writes the trainable weights, their moments and the number of epochs done, whole or not at
    all."""
    tensors = {}
    for name, weight in trainable_weights(network):
        tensors[f"weight {name}"] = weight.detach()
        for moment in MOMENTS:
            tensors[f"{moment} {name}"] = optimizer.state[weight][moment]
    file.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(file) as temporary:
        save_file(tensors, temporary, {"epochs": str(epochs), "of": part_of(file)})


def load_training(file: Path, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Restores weights and moments and returns the number of epochs done; 0, with everything as it
    was, when the file is missing, damaged or of another training."""
    saved = read_if_intact(file, partial(_read_training, network=network))
    if saved is None:
        return 0
    tensors, epochs = saved
    state = optimizer.state_dict()
    with torch.no_grad():
        for i, (name, weight) in enumerate(trainable_weights(network)):
            weight.copy_(tensors[f"weight {name}"])
            state["state"][i] = {moment: tensors[f"{moment} {name}"] for moment in MOMENTS}
    optimizer.load_state_dict(state)
    return epochs


def _read_training(file: Path, network: torch.nn.Module) -> tuple[dict[str, torch.Tensor], int]:
    """The tensors of a file and its number of epochs. Raises ValueError when they are not those of
    this network."""
    with safe_open(file, framework="pt") as saved:
        tensors = {key: saved.get_tensor(key) for key in saved.keys()}  # noqa: SIM118
        metadata = saved.metadata()
    epochs = int(metadata["epochs"])
    if metadata["of"] != part_of(file) or epochs < 0:
        raise ValueError(f"{epochs} epochs of {metadata['of']}")
    for name, weight in trainable_weights(network):
        for part in ("weight", *MOMENTS):
            tensor = tensors[f"{part} {name}"]
            shape = torch.Size() if part == "step" else weight.shape
            if tensor.shape != shape or not tensor.isfinite().all():
                raise ValueError(f"{part} {name} is not that of this network")
    return tensors, epochs


def trainable_weights(network: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    """The names and weights that are trained, in the optimizer's order."""
    return [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
