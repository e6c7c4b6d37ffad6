"""The device and the number format that this machine computes with."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

CPU_BATCH_TOKENS = 2_048
GPU_BATCH_TOKENS = 65_536
"""Tokens of a batch when scoring, padding included: enough to keep the machine busy."""


def device() -> torch.device:
    """The GPU if there is one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware supports it, else float32: emulated bfloat16 is slower."""
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        capabilities = torch.cpu.get_capabilities()
        fast = any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.bfloat16 if fast else torch.float32


def attention(device: torch.device) -> AbstractContextManager[None]:
    """Selects the attention kernel that is fastest for training. On a CPU the backward pass of the
    fused kernel takes several times as long as plain matrix products."""
    return sdpa_kernel(SDPBackend.MATH) if device.type == "cpu" else nullcontext()


def batch_tokens(device: torch.device) -> int:
    """The size of a scoring batch, in tokens."""
    return GPU_BATCH_TOKENS if device.type == "cuda" else CPU_BATCH_TOKENS
