"""What this machine computes with."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

CPU_BATCH_TOKENS = 2_048
GPU_BATCH_TOKENS = 65_536
"""Tokens of a batch when scoring: enough to keep the machine busy, padding included."""


def device() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def dtype(on: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it, else float32: emulated, it is slower."""
    if on.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        found = torch.cpu.get_capabilities()
        fast = any(found.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))
    return torch.bfloat16 if fast else torch.float32


def attention(on: torch.device) -> AbstractContextManager[None]:
    """For training: the kernel of attention that is fast there. On a CPU the backward pass of the
    fused one takes several times as long as plain products of matrices."""
    return sdpa_kernel(SDPBackend.MATH) if on.type == "cpu" else nullcontext()


def batch_tokens(on: torch.device) -> int:
    """The size of a batch when scoring."""
    return GPU_BATCH_TOKENS if on.type == "cuda" else CPU_BATCH_TOKENS
