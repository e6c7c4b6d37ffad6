"""On PYTHONPATH: a machine that does not multiply in bfloat16, as that which made old data."""

import torch

torch.cpu.get_capabilities = dict
