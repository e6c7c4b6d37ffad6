"""A pretrained model with a linear head on its mean-pooled states.

Mean pooling suits both encoders and decoder-only models: no token plays a special role, and it
does not matter on which side the padding is. Strategies measure distances on the same vectors.
"""

from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import peft
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from biasloop.plugins.classifiers.deep.pretrained import quiet

HEAD = "head.safetensors"
ADAPTER = "adapter"
MODEL = "model"


@dataclass(frozen=True, slots=True)
class Tuning:
    """Which weights are trained, besides the head: `lora` trains adapters (Hu et al. 2022) of that
    rank on the `targets` (names of layers, or "all-linear"), `full` trains all weights."""

    kind: Literal["lora", "full"]
    rank: int
    alpha: float
    targets: str | list[str]

    def adapter(self) -> peft.LoraConfig:
        """The configuration for peft, without LoRA dropout: the network has dropout of its own."""
        return peft.LoraConfig(
            r=self.rank, lora_alpha=self.alpha, lora_dropout=0.0, target_modules=self.targets
        )


class Network(nn.Module):
    """Scores (n, k) and pooled states (n, e) of token ids (n, l)."""

    def __init__(self, model: Any, outputs: int, dropout: float) -> None:
        super().__init__()
        self.model = model
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(model.config.hidden_size, outputs)

    def forward(
        self, ids: torch.Tensor, mask: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`mask` is what batches.padded_batch returns. The head computes in float32: rounded to
        bfloat16, many scores would be equal."""
        pooled = mean_pool(self.model(ids, attention_mask=mask).last_hidden_state, mask)
        with torch.autocast(ids.device.type, enabled=False):
            return self.head(self.dropout(pooled)), pooled

    def for_scoring(self, device: torch.device, dtype: torch.dtype) -> "Network":
        """A copy for inference only: adapters merged in, the model in `dtype`."""
        clone = deepcopy(self)
        if isinstance(clone.model, peft.PeftModel):
            clone.model = clone.model.merge_and_unload()
        clone.model.to(dtype)
        return clone.to(device).eval().requires_grad_(False)

    def save(self, folder: Path) -> None:
        """Writes what was trained: the head, and the adapter or the whole model in the formats of
        peft and transformers."""
        save_file(self.head.state_dict(), folder / HEAD)
        if isinstance(self.model, peft.PeftModel):
            adapter = peft.get_peft_model_state_dict(self.model)
            self.model.peft_config["default"].save_pretrained(folder / ADAPTER)
            tensors = {name: tensor.contiguous() for name, tensor in adapter.items()}
            save_file(tensors, folder / ADAPTER / "adapter_model.safetensors")
        else:
            with quiet():
                self.model.save_pretrained(folder / MODEL)


def new_network(model: Any, tuning: Tuning, outputs: int, dropout: float) -> Network:
    """An untrained network; the head and the adapters are initialised from torch's random state."""
    if tuning.kind == "lora":
        with quiet():
            model = peft.get_peft_model(model, tuning.adapter())
    return Network(model, outputs, dropout)


def load_network(model: Any, folder: Path, dropout: float) -> Network:
    """Loads a saved network. `model` is the base model of an adapter, else the saved model."""
    head = load_file(folder / HEAD)
    if (folder / ADAPTER).exists():
        with quiet():
            model = peft.PeftModel.from_pretrained(model, folder / ADAPTER)
    network = Network(model, len(head["bias"]), dropout)
    network.head.load_state_dict(head)
    return network


def mean_pool(states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """The mean (n, e), float32, of the states (n, l, e) of all tokens that are not padding."""
    if mask is None:
        return states.float().mean(dim=1)
    weights = mask.unsqueeze(-1).float()
    return (states.float() * weights).sum(dim=1) / weights.sum(dim=1)
