"""The same seed and the same sequence of annotations give the same batches (R6)."""

from pathlib import Path

from biasloop.domain.batch import Arm
from biasloop.domain.round import State
from support.labelstudio_server import Server
from support.served import copy, label_open, make_workspace, put_on, step_until

ROUNDS = 3
BATCH = 8
SETTINGS = {"loop": {"batch_size": BATCH, "budget": ROUNDS * BATCH, "audit_block": 4}}

Batch = list[tuple[str, Arm, float | None]]


def batches(server: Server, workspace: Path, rounds: int) -> list[Batch]:
    """The batches of these rounds: item, arm and probability, in the order people see them."""
    found: list[Batch] = []
    with put_on(server, workspace, **SETTINGS) as service:
        for number in range(rounds):
            step_until(service, State.PUSHED, number)
            chosen = [s for _, s in service.ledger.selections(number)]
            found.append([(s.item_id, s.arm, s.probability) for s in chosen])
            label_open(service, server)
            if number == 0 < rounds - 1:  # the last batch is chosen with its model
                step_until(service, State.CLOSED)
    return found


def test_the_same_seed_and_labels_give_the_same_batches_and_another_seed_others(
    tiny: Path, tmp_path: Path, label_studio_server: Server
) -> None:
    one, two = (
        batches(label_studio_server, copy(tiny, tmp_path / name), ROUNDS) for name in ("one", "two")
    )
    assert one == two
    chosen = [item for batch in one for item in batch]
    assert len(chosen) == len({item_id for item_id, _, _ in chosen}) == ROUNDS * BATCH
    by_strategy = [probability is None for _, arm, probability in one[-1] if arm is Arm.ACQUISITION]
    assert by_strategy
    assert all(by_strategy)

    other = make_workspace(tmp_path / "other", seed=1)
    assert batches(label_studio_server, other, 1)[0] != one[0]
