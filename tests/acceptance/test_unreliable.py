"""A Label Studio that lies, stalls, is restored from yesterday, loses its project or its answers,
holds a poisoned one, in any order: no vote is lost or doubled, none comes under another item, and
the loop goes on with the first poll after the repair."""

import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from biasloop.errors import LabelStudioRefused
from biasloop.labelstudio.client import LabelStudioClient
from biasloop.rounds.losses import LossDecision
from support.labelstudio_server import CONFIG, Annotator, Server
from support.lies import LIES, POISONS
from support.proxy import Proxy, proxy_of
from support.served import copy, put_on
from support.unreliable import UnreliableCampaign

PASSWORD = "a-long-Password-5"
SETTINGS = {
    "loop": {"batch_size": 8, "low_water": 2, "budget": 40, "audit_block": 6},
}
FEW, MANY = 4, 8
"""Troubles in one sequence."""


@pytest.fixture(scope="module")
def people(label_studio_server: Server) -> dict[str, str]:
    """Three people who label, with their tokens."""
    server, tokens = label_studio_server, {}
    with LabelStudioClient(server.url, server.token, CONFIG) as client:
        for name in ("anna", "bea", "carla"):
            email = f"{name}-unreliable@example.org"
            client.add_annotator(email, PASSWORD)
            with Annotator.sign_in(server.url, email, PASSWORD, 0) as person:
                tokens[email] = person.token
    return tokens


@pytest.fixture(scope="module")
def proxy(label_studio_server: Server) -> Iterator[Proxy]:
    with proxy_of(label_studio_server.url) as made:
        yield made


@pytest.fixture
def tight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Polls that read back as little as is safe here, in pages of few tasks."""
    monkeypatch.setattr("biasloop.rounds.poll.OVERLAP", timedelta(seconds=1))
    monkeypatch.setattr("biasloop.labelstudio.task_client.PAGE_SIZE", 5)


@pytest.fixture
def go_through(
    tight: None,
    tiny: Path,
    tmp_path: Path,
    label_studio_server: Server,
    proxy: Proxy,
    people: dict[str, str],
) -> Callable[[int, int], None]:
    """Goes through a sequence of troubles, by its seed and how many there are."""

    def run(seed: int, troubles: int) -> None:
        rng, workspace = random.Random(seed), copy(tiny, tmp_path / "workspace")
        with put_on(label_studio_server, workspace, url=proxy.url, **SETTINGS) as service:
            campaign = UnreliableCampaign(
                service, label_studio_server, proxy, people, tmp_path, rng
            )
            try:
                campaign.poll()
                campaign.tick()
                for event in rng.sample(EVENTS, troubles):
                    work_for_a_while(campaign)
                    campaign.history.append(event.__name__)
                    event(campaign)
                    goes_on(campaign)
            except BaseException:
                print(f"seed {seed}:", *campaign.history, sep="\n  ")
                raise
            finally:
                campaign.close()

    return run


def work_for_a_while(campaign: UnreliableCampaign) -> None:
    """Nothing special happens; only some of what is answered is read before the next trouble."""
    rng = campaign.rng
    campaign.answer(rng.randrange(7))
    if rng.random() < 0.7:
        campaign.poll()
        campaign.tick()
    if rng.random() < 0.4:
        campaign.back_up()
    campaign.answer(rng.randrange(4))
    if rng.random() < 0.3:
        campaign.correct()


def goes_on(campaign: UnreliableCampaign) -> None:
    """After a repair: one poll, and everything is as it should be; so it is after a decision about
    what is gone, and after whatever people answer next."""
    campaign.poll()
    campaign.check()
    while campaign.question():
        decision = campaign.rng.choice((LossDecision.KEEP, LossDecision.LET_GO))
        campaign.history.append(f"  {campaign.question()}: {decision}")
        campaign.decide(decision)
        campaign.poll()
        campaign.check()
    campaign.tick()
    campaign.answer(3)
    campaign.poll()
    campaign.check()


# --- what happens --------------------------------------------------------------------------------


def is_lied_to(campaign: UnreliableCampaign) -> None:
    name = campaign.rng.choice([*LIES, "another_project"])
    times = campaign.rng.choice((1, 2, None))
    campaign.history.append(f"  {name}, {times} times")
    with campaign.lying(name, times):
        campaign.work(3)
        campaign.answer(2)
        campaign.work(1)


def is_kept_waiting(campaign: UnreliableCampaign) -> None:
    with campaign.stalling():
        campaign.work(2)
        campaign.answer(2)


def is_cut_off(campaign: UnreliableCampaign) -> None:
    campaign.proxy.off()
    try:
        campaign.work(2)
        campaign.answer(2)
    finally:
        campaign.proxy.on()


def is_restored(campaign: UnreliableCampaign) -> None:
    """The database of yesterday, and perhaps the right one again later."""
    today = campaign.back_up()
    backup = campaign.rng.choice(campaign.backups)
    campaign.history.append(f"  to {backup.name} of {len(campaign.backups)}")
    campaign.restore(backup)
    campaign.answer(campaign.rng.randrange(4))
    campaign.work(campaign.rng.randrange(4))
    campaign.answer(campaign.rng.randrange(3))
    campaign.work(campaign.rng.randrange(2))
    if campaign.rng.random() < 0.4:
        campaign.history.append("  and back")
        campaign.restore(today)
    find_project(campaign)


def loses_its_project(campaign: UnreliableCampaign) -> None:
    today = campaign.back_up()
    campaign.delete_project()
    for command in (campaign.poll, campaign.reconcile):
        with pytest.raises(LabelStudioRefused, match=r"reconcile --new-project"):
            command()
    campaign.work(1)
    if campaign.rng.random() < 0.4:
        campaign.history.append("  restored")
        campaign.restore(today)
    else:
        find_project(campaign)


def find_project(campaign: UnreliableCampaign) -> None:
    """`biasloop reconcile --new-project`, if that is what a poll advises."""
    try:
        campaign.poll()
    except LabelStudioRefused as refused:
        if "reconcile --new-project" not in str(refused):
            raise
        campaign.history.append("  new project")
        campaign.new_project()
        if campaign.rng.random() < 0.5:
            campaign.poll()
        campaign.service.reconcile(LossDecision.KEEP)


def loses_many_answers(campaign: UnreliableCampaign) -> None:
    campaign.poll()
    today = campaign.back_up()
    seen = {mark for mark, given in campaign.given.items() if given.seen >= 0}
    gone = seen & set(campaign.delete(campaign.rng.randrange(8, 20)))
    campaign.poll()
    if len(gone) > max(5, len(campaign.records()) / 10):
        assert campaign.question(), f"nobody was asked about {len(gone)} answers"
    else:
        campaign.released |= gone
    campaign.work(2)
    if campaign.rng.random() < 0.3:
        campaign.history.append("  restored")
        campaign.restore(today)


def loses_few_answers(campaign: UnreliableCampaign) -> None:
    campaign.released |= set(campaign.delete(2))
    campaign.work(2)


def loses_a_task(campaign: UnreliableCampaign) -> None:
    campaign.withdraw_task()
    campaign.work(2)


def is_poisoned(campaign: UnreliableCampaign) -> None:
    kind = campaign.rng.choice(list(POISONS))
    mark = campaign.poison(kind)
    campaign.history.append(f"  {kind}: {mark}")
    campaign.work(1)
    campaign.answer(2)
    campaign.poll()
    campaign.check()
    if mark is not None and campaign.rng.random() < 0.7:
        campaign.remove_poison(mark)


EVENTS: tuple[Callable[[UnreliableCampaign], None], ...] = (
    is_lied_to,
    is_lied_to,
    is_kept_waiting,
    is_cut_off,
    is_restored,
    is_restored,
    loses_its_project,
    loses_many_answers,
    loses_few_answers,
    loses_a_task,
    is_poisoned,
)


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_or_doubled_whatever_happens_to_label_studio(
    go_through: Callable[[int, int], None], seed: int
) -> None:
    go_through(seed, FEW)


@pytest.mark.heavy
@pytest.mark.parametrize("seed", range(3, 33))
def test_nothing_is_lost_or_doubled_in_thirty_sequences(
    go_through: Callable[[int, int], None], seed: int
) -> None:
    go_through(seed, MANY)
