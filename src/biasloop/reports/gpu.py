"""Whether torch can use the GPUs of this machine, and if not, the command that changes it."""

import os
import re
import subprocess
from dataclasses import dataclass

BUILDS = (((12, 8), "cu128"), ((12, 0), "cu126"))
"""(the oldest CUDA version that a driver must support, the builds of torch that then run), best
first."""


@dataclass(frozen=True, slots=True)
class GpuFacts:
    """`listed`: the GPUs that the NVIDIA driver lists; `driver_cuda`: the newest CUDA version that
    it supports. `torch_cuda`: the version that torch was built for, None for a build without CUDA.
    `usable`: the GPU that torch can use. `visible`: CUDA_VISIBLE_DEVICES, None if unset."""

    listed: tuple[str, ...]
    driver_cuda: tuple[int, int] | None
    torch: str
    torch_cuda: str | None
    usable: str | None
    visible: str | None = None


def judge_gpu(facts: GpuFacts) -> tuple[bool, str]:
    """(whether a GPU is used, what was found and what to do about it)."""
    if facts.usable:
        return True, facts.usable
    if not facts.listed:
        return False, "none; training and scoring run on the CPU"
    found = f"torch cannot use {facts.listed[0]}"
    install = _install_command(facts.driver_cuda)
    if facts.torch_cuda is None:
        return False, f"{found}: torch {facts.torch} is built without CUDA; {install}"
    if facts.visible is not None and facts.visible.strip() in ("", "-1"):
        return False, f"{found}: CUDA_VISIBLE_DEVICES hides it; `unset CUDA_VISIBLE_DEVICES`"
    if facts.driver_cuda and int(facts.torch_cuda.split(".")[0]) > facts.driver_cuda[0]:
        supported = ".".join(map(str, facts.driver_cuda))
        return False, (
            f"{found}: its driver supports CUDA {supported}, torch {facts.torch} needs "
            f"{facts.torch_cuda}; update the driver, or {install}"
        )
    return False, f"{found}; `python -c 'import torch; torch.cuda.init()'` says why"


def _install_command(driver_cuda: tuple[int, int] | None) -> str:
    for needed, build in BUILDS:
        if driver_cuda and driver_cuda >= needed:
            index = f"https://download.pytorch.org/whl/{build}"
            return f"`pip install --force-reinstall torch --index-url {index}`"
    return (
        f"update the NVIDIA driver to one that supports CUDA {BUILDS[0][0][0]}, then run "
        "`biasloop doctor` again"
    )


def read_gpu_facts() -> GpuFacts:
    """The facts of this machine."""
    import torch

    usable = torch.cuda.get_device_name(0) if torch.cuda.is_available() else None
    names = () if usable else tuple(_ask_driver("--query-gpu=name", "--format=csv,noheader"))
    version = re.search(r"CUDA Version: (\d+)\.(\d+)", "\n".join(_ask_driver() if names else ()))
    return GpuFacts(
        listed=names,
        driver_cuda=(int(version[1]), int(version[2])) if version else None,
        torch=torch.__version__,
        torch_cuda=torch.version.cuda,
        usable=usable,
        visible=os.environ.get("CUDA_VISIBLE_DEVICES"),
    )


def _ask_driver(*arguments: str) -> list[str]:
    """The lines that nvidia-smi prints; none where there is no working driver."""
    try:
        done = subprocess.run(
            ["nvidia-smi", *arguments], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]
