"""A pretrained model with a linear head on its mean-pooled states.

Mean pooling serves encoders and decoder-only models alike: no token has a role of its own and
padding has no place, left or right. The same vectors are what strategies measure distances on.
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
    """Which weights learn: `lora` adapters (Hu et al. 2022) of that rank on the `targets`
    (names of layers, or "all-linear"), or all of them (`full`); the head always."""

    kind: Literal["lora", "full"]
    rank: int
    alpha: float
    targets: str | list[str]

    def adapter(self) -> peft.LoraConfig:
        """As peft takes it. Without dropout of its own: the model has some."""
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
        """`mask` is as batches.padded makes it. The head computes in float32: rounded to
        bfloat16 many scores would be equal."""
        pooled = mean_pool(self.model(ids, attention_mask=mask).last_hidden_state, mask)
        with torch.autocast(ids.device.type, enabled=False):
            return self.head(self.dropout(pooled)), pooled

    def for_scoring(self, on: torch.device, dtype: torch.dtype) -> "Network":
        """A copy that only computes: adapters merged in, the model in `dtype`."""
        copied = deepcopy(self)
        if isinstance(copied.model, peft.PeftModel):
            copied.model = copied.model.merge_and_unload()
        copied.model.to(dtype)
        return copied.to(on).eval().requires_grad_(False)

    def save(self, folder: Path) -> None:
        """Writes what was learned: the head, and the adapter or the whole model, as peft and
        transformers read them."""
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
    """To be trained. Torch's random state decides the head's and the adapters' first weights."""
    if tuning.kind == "lora":
        with quiet():
            model = peft.get_peft_model(model, tuning.adapter())
    return Network(model, outputs, dropout)


def load_network(model: Any, folder: Path, dropout: float) -> Network:
    """One that was saved. `model` is the base model of an adapter, else the saved model itself."""
    head = load_file(folder / HEAD)
    if (folder / ADAPTER).exists():
        with quiet():
            model = peft.PeftModel.from_pretrained(model, folder / ADAPTER)
    network = Network(model, len(head["bias"]), dropout)
    network.head.load_state_dict(head)
    return network


def mean_pool(states: torch.Tensor, mask: torch.Tensor | None) -> torch.Tensor:
    """The mean (n, e), float32, of the states (n, l, e) of tokens that are no padding."""
    if mask is None:
        return states.float().mean(dim=1)
    weights = mask.unsqueeze(-1).float()
    return (states.float() * weights).sum(dim=1) / weights.sum(dim=1)
