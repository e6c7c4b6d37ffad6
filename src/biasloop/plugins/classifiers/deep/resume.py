"""Saves and loads the state from which an interrupted training resumes."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from biasloop.store.atomic import written_whole

MOMENTS = ("exp_avg", "exp_avg_sq", "step")
"""The tensors that AdamW stores for each weight."""


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
        save_file(tensors, temporary, {"epochs": str(epochs)})


def load_training(file: Path, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Restores weights and moments and returns the number of epochs done; 0 when the file is
    missing or damaged."""
    try:
        with safe_open(file, framework="pt") as saved:
            tensors = {key: saved.get_tensor(key) for key in saved.keys()}  # noqa: SIM118
            epochs = int(saved.metadata()["epochs"])
    except (FileNotFoundError, SafetensorError):
        return 0
    state = optimizer.state_dict()
    with torch.no_grad():
        for i, (name, weight) in enumerate(trainable_weights(network)):
            weight.copy_(tensors[f"weight {name}"])
            state["state"][i] = {moment: tensors[f"{moment} {name}"] for moment in MOMENTS}
    optimizer.load_state_dict(state)
    return epochs


def trainable_weights(network: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    """The names and weights that are trained, in the optimizer's order."""
    return [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
