"""What doctor says of GPUs, by the facts of a machine."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest

from biasloop.reports.gpu import GpuFacts, judge_gpu, read_gpu_facts

H200 = GpuFacts(("NVIDIA H200",), (12, 8), "2.9.1+cpu", None, None)


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        (replace(H200, usable="NVIDIA H200", torch_cuda="12.8"), "NVIDIA H200"),
        (replace(H200, listed=()), "on the CPU"),
        (H200, "pip install --force-reinstall torch --index-url https://.*/cu128"),
        (replace(H200, driver_cuda=(12, 2)), "built without CUDA; `pip install .*/cu126`"),
        (replace(H200, driver_cuda=(11, 4)), "update the NVIDIA driver"),
        (replace(H200, driver_cuda=None), "update the NVIDIA driver"),
        (replace(H200, torch_cuda="13.0"), "supports CUDA 12.8, .* needs 13.0; update .*/cu128"),
        (replace(H200, torch_cuda="12.8", visible=""), "unset CUDA_VISIBLE_DEVICES"),
        (replace(H200, torch_cuda="12.8"), "torch.cuda.init"),
    ],
)
def test_a_gpu_that_torch_cannot_use_is_named_with_what_helps(facts: GpuFacts, named: str) -> None:
    ok, found = judge_gpu(facts)
    assert ok is (facts.usable is not None)
    assert re.search(named, found)
    assert not facts.listed or "NVIDIA H200" in found


def test_the_facts_are_read_from_the_driver(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\n[ $# -gt 0 ] && echo NVIDIA H200 || "
        "echo '| NVIDIA-SMI 570.1  Driver Version: 570.1  CUDA Version: 12.8 |'\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    facts = read_gpu_facts()
    assert (facts.listed, facts.driver_cuda) == (("NVIDIA H200",), (12, 8))
