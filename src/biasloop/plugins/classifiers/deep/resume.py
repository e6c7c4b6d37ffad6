"""What an interrupted training goes on from."""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from biasloop.store.atomic import written_whole

MOMENTS = ("exp_avg", "exp_avg_sq", "step")
"""What AdamW keeps of each weight."""


def save_training(
    file: Path, network: torch.nn.Module, optimizer: torch.optim.Optimizer, epochs: int
) -> None:
    """Weights that learn and their moments, after so many epochs; whole or not at all."""
    tensors = {}
    for name, weight in learning(network):
        tensors[f"weight {name}"] = weight.detach()
        for moment in MOMENTS:
            tensors[f"{moment} {name}"] = optimizer.state[weight][moment]
    file.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(file) as temporary:
        save_file(tensors, temporary, {"epochs": str(epochs)})


def load_training(file: Path, network: torch.nn.Module, optimizer: torch.optim.Optimizer) -> int:
    """Puts both back as they were and returns the epochs done; 0 when nothing usable is there."""
    try:
        with safe_open(file, framework="pt") as saved:
            found = {key: saved.get_tensor(key) for key in saved.keys()}  # noqa: SIM118
            epochs = int(saved.metadata()["epochs"])
    except (FileNotFoundError, SafetensorError):
        return 0
    state = optimizer.state_dict()
    with torch.no_grad():
        for i, (name, weight) in enumerate(learning(network)):
            weight.copy_(found[f"weight {name}"])
            state["state"][i] = {moment: found[f"{moment} {name}"] for moment in MOMENTS}
    optimizer.load_state_dict(state)
    return epochs


def learning(network: torch.nn.Module) -> list[tuple[str, torch.nn.Parameter]]:
    """The weights that learn, by name, in the optimizer's order."""
    return [(name, weight) for name, weight in network.named_parameters() if weight.requires_grad]
