"""A campaign on a Label Studio that cannot be relied on, and what must be true of its ledger.

Every answer takes its own number of seconds, and is recognised by it everywhere: ids are given
again after a restore, and items may have several tasks.
"""

import json
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from biasloop.domain.annotation import Annotation, Standing
from biasloop.domain.label import SLIPS, AsideReason, LabelSource
from biasloop.domain.round import Done, Wait
from biasloop.errors import LabelStudioError, LabelStudioRefused
from biasloop.labelstudio.client import LabelStudioClient
from biasloop.rounds.loop import Loop, Retry
from biasloop.rounds.losses import LossDecision
from biasloop.service.control import replace_project
from biasloop.service.service import Service
from biasloop.store.control import Bookmark
from support.database import (
    copy_database,
    delete_answer,
    has_project,
    item_of_task,
    restore_database,
    stored_answers,
)
from support.labelstudio_server import Annotator, Server
from support.lies import (
    LIES,
    POISONS,
    Stalled,
    about,
    another_project,
    is_list_of_tasks,
    is_project,
)
from support.proxy import Fault, Proxy

COUNTED = (Standing.VOTE, Standing.SKIP)
GOOD = (("age",), ("gender",), ("inclusive",), ("age", "gender"))
SLIP = ("age", "inclusive")
HASTE = 0.5
"""Seconds after which the client gives up on an answer that will never come."""


@dataclass
class Given:
    """What somebody answered: all versions of its labels, None for a skip and for poison."""

    person: str
    item: str
    versions: list[tuple[str, ...] | None]
    poison: bool = False
    seen: int = -1
    """The newest version that the ledger had after a poll; -1: none."""
    epochs: list[int] = field(default_factory=list)
    """In which lives of the database biasloop deleted it; each restore begins a new one."""


class UnreliableCampaign:
    """A campaign whose rounds need no child process, and the people who answer."""

    def __init__(
        self,
        service: Service,
        server: Server,
        proxy: Proxy,
        people: dict[str, str],
        folder: Path,
        rng: random.Random,
    ) -> None:
        self.service, self.server, self.proxy, self.rng = service, server, proxy, rng
        self.people = people
        self.given: dict[float, Given] = {}
        self.removed: set[float] = set()
        """Answers that are gone from Label Studio, and not by biasloop."""
        self.released: set[float] = set()
        """Answers that need not count any more: somebody deleted them, or let them go."""
        self.backups: list[Path] = []
        self.history: list[str] = []
        self.loop = _light_loop(service)
        self._folder = folder
        self._keys: dict[str, float] = {}
        self._at_work: dict[tuple[str, int], Annotator] = {}
        self._epoch = 0
        self._lie: Any = lambda *_: None
        proxy.any = self._watch

    def close(self) -> None:
        """Everybody goes home."""
        self.proxy.any = lambda *_: None
        for person in self._at_work.values():
            person.__exit__(None, None, None)

    # --- the service ----------------------------------------------------------------------------

    def poll(self) -> None:
        self.service.poll()
        self._note_seen()

    def work(self, times: int) -> None:
        """What a service does meanwhile; it may fail, but only because of Label Studio."""
        for _ in range(times):
            action = self.rng.choice((self.poll, self.poll, self.reconcile, self.tick))
            with suppress(LabelStudioError):
                action()

    def reconcile(self) -> None:
        try:
            self.service.reconcile()
        finally:
            self._note_seen()

    def tick(self) -> None:
        for _ in range(20):
            if self.loop.tick() is None:
                return

    def question(self) -> dict[str, Any] | None:
        question: dict[str, Any] | None = self.service.ledger.control.bookmark(Bookmark.LOSSES)
        return question

    # --- people ---------------------------------------------------------------------------------

    @property
    def project(self) -> int | None:
        return self.service.ledger.control.bookmark(Bookmark.PROJECT)

    def answer(self, at_most: int) -> int:
        """People answer what the stream shows; returns how many answers they gave."""
        done = 0
        for _ in range(at_most):
            name = self.rng.choice(list(self.people))
            person = self._person(name)
            task = person.next_task() if self._exists() else None
            if task is None:
                continue
            labels = SLIP if self.rng.random() < 0.15 else self.rng.choice(GOOD)
            skips = self.rng.random() < 0.1
            self._submit(name, task, person.result(*labels), None if skips else labels)
            done += 1
        return done

    def poison(self, kind: str) -> float | None:
        """Somebody submits a hostile answer; None when Label Studio refuses it."""
        name = self.rng.choice(list(self.people))
        person = self._person(name)
        task = person.next_task() if self._exists() else None
        if task is None:
            return None
        result = POISONS[kind](person.result(*self.rng.choice(GOOD)))
        return self._submit(name, task, result, None, poison=True)

    def correct(self) -> None:
        """Somebody chooses something else in an answer."""
        mark = self._one_standing()
        if mark is not None and self.given[mark].versions[-1] is not None:
            given = self.given[mark]
            labels = self.rng.choice([good for good in GOOD if good != given.versions[-1]])
            self._person(given.person).change(self.stored()[mark][0], *labels)
            given.versions.append(labels)

    def delete(self, count: int) -> list[float]:
        """Somebody deletes answers; returns which."""
        stored = self.stored()
        marks = [mark for mark in stored if not self.given[mark].poison]
        gone = self.rng.sample(sorted(marks), min(count, len(marks)))
        for mark in gone:
            self._person(self.given[mark].person).delete(stored[mark][0])
        self._note_removed()
        return gone

    def _one_standing(self) -> float | None:
        good = sorted(mark for mark in self.stored() if not self.given[mark].poison)
        return self.rng.choice(good) if good else None

    def _submit(
        self,
        name: str,
        task: int,
        result: Any,
        labels: tuple[str, ...] | None,
        *,
        poison: bool = False,
    ) -> float | None:
        mark = 1.0 + len(self.given) / 64
        item = item_of_task(self.server, task)
        body = {"result": result, "lead_time": mark}
        if labels is None and not poison:
            body |= {"result": [], "was_cancelled": True}
        self._person(name)._http.post(
            f"/api/tasks/{task}/annotations/",
            content=json.dumps(body),
            headers={"Content-Type": "application/json"},
        )
        self.given[mark] = Given(name, item, [labels], poison)
        if mark in self.stored():
            return mark
        assert poison, "Label Studio refused a good answer"
        del self.given[mark]
        return None

    def _person(self, name: str) -> Annotator:
        key = name, self.project or 0
        if key not in self._at_work:
            self._at_work[key] = Annotator(self.server.url, self.people[name], key[1])
        return self._at_work[key]

    def _exists(self) -> bool:
        return has_project(self.server, self.project)

    # --- events ---------------------------------------------------------------------------------

    def stored(self) -> dict[float, tuple[int, int]]:
        """What stands in Label Studio: (answer, task) by mark."""
        return stored_answers(self.server, self.project)

    def back_up(self) -> Path:
        self.backups.append(self._folder / f"backup-{len(self.backups)}.sqlite3")
        return copy_database(self.server, self.backups[-1])

    def restore(self, backup: Path) -> None:
        restore_database(self.server, backup)
        self._epoch += 1
        self._note_removed()

    def delete_project(self) -> None:
        token = {"Authorization": f"Token {self.server.token}"}
        url = f"{self.server.url}/api/projects/{self.project}/"
        httpx.delete(url, headers=token, timeout=60).raise_for_status()
        self._note_removed()

    def new_project(self) -> None:
        replace_project(self.service)
        self._note_removed()

    def withdraw_task(self) -> None:
        """Somebody deletes a task, with what was answered on it."""
        tasks = sorted(self.service.ledger.task_ids().values())
        if tasks and self._exists():
            before = self.stored()
            token = {"Authorization": f"Token {self.server.token}"}
            url = f"{self.server.url}/api/tasks/{self.rng.choice(tasks)}/"
            httpx.delete(url, headers=token, timeout=60)
            self.released |= before.keys() - self.stored().keys()
            self._note_removed()

    def remove_poison(self, mark: float) -> None:
        if mark in self.stored():
            delete_answer(self.server, self.stored()[mark][0])
            self._note_removed()

    @contextmanager
    def lying(self, name: str, times: int | None) -> Iterator[None]:
        """Label Studio tells this lie about its tasks (or its project), that many times."""
        if name == "another_project":
            self._lie = about(another_project, is_project, times)
        else:
            self._lie = about(LIES[name](), is_list_of_tasks, times)
        yield
        self._lie = lambda *_: None

    @contextmanager
    def stalling(self) -> Iterator[None]:
        """Label Studio takes requests and answers none of them."""
        stalled = Stalled()
        patient, url = self.service.label_studio, self.proxy.url
        hasty = LabelStudioClient(
            url, self.server.token, self.service.campaign.controls, self.project, HASTE
        )
        vars(self.service)["label_studio"] = hasty
        self._lie = lambda *_: stalled
        try:
            yield
        finally:
            stalled.over.set()
            self._lie = lambda *_: None
            vars(self.service)["label_studio"] = patient
            hasty.close()

    def decide(self, decision: LossDecision) -> None:
        """Somebody answers the question about the answers that are gone."""
        with suppress(LabelStudioRefused):
            self.service.reconcile()
            raise AssertionError("reconcile went on although nobody had decided")
        stored = self.stored()
        kept = {a.seconds for a in self.records() if a.kept}  # by an earlier decision, which holds
        lost = {m for m, given in self.given.items() if given.seen >= 0 and m not in stored} - kept
        self.service.reconcile(decision)
        assert self.question() is None
        counted = self._counted()
        if decision is LossDecision.LET_GO:
            assert not counted & lost, "answers that were let go still count"
            self.released |= lost
        else:
            assert lost - self.released <= counted, "answers that were kept do not count"
        self._note_seen()

    def _note_removed(self) -> None:
        self.removed = self.given.keys() - self.stored().keys()

    def _watch(self, method: str, path: str) -> Fault | None:
        parts = path.strip("/").split("/")
        if method == "DELETE" and parts[:2] == ["api", "annotations"]:
            by_id = {answer: mark for mark, (answer, _) in self.stored().items()}
            self.given[by_id[int(parts[2])]].epochs.append(self._epoch)
        lie: Fault | None = self._lie(method, path)
        return lie

    # --- what must be true ----------------------------------------------------------------------

    def records(self) -> list[Annotation]:
        """What the ledger knows of answers given in Label Studio."""
        return [
            a
            for a in self.service.ledger.annotations()
            if a.source is LabelSource.HUMAN and a.task_id is not None
        ]

    def _counted(self) -> set[float]:
        return {a.seconds for a in self.records() if a.standing in COUNTED and a.seconds}

    def _note_seen(self) -> None:
        """Remembers what the ledger has, and checks that each answer has one key, and each key one
        answer, with what that person said of that item."""
        for record in self.records():
            if record.seconds is None:
                continue
            mark = record.seconds
            assert self._keys.setdefault(record.key, mark) == mark, f"{record.key}: two answers"
            given = self.given[mark]
            assert record.item_id == given.item, f"{record} is under another item: {given}"
            if given.poison or record.standing not in COUNTED:
                continue
            labels = tuple(sorted(record.labels)) if record.standing is Standing.VOTE else None
            answers = [
                None if v is None else tuple(sorted(set(v) - {"inclusive"})) for v in given.versions
            ]
            labels = None if labels is None else tuple(sorted(set(labels) - {"inclusive"}))
            version = max(n for n, v in enumerate(answers) if v == labels)
            assert version >= given.seen, f"{record} is older than what was seen of {given}"
            given.seen = version
        keys = Counter(self._keys.values())
        assert not [self.given[m] for m, n in keys.items() if n > 1], "an answer has two keys"

    def check(self) -> None:
        """After a poll: nothing lost, nothing doubled."""
        stored, records = self.stored(), self.records()
        by_mark = {record.seconds: record for record in records if record.seconds}
        counted = {r.item_id for r in records if r.standing in COUNTED}
        votes = {(r.item_id, r.annotator) for r in records if r.standing in COUNTED}
        unreadable = {
            int(t) for t in self.service.ledger.control.bookmark(Bookmark.UNREADABLE) or ()
        }
        for mark, (_, task) in stored.items():
            given = self.given[mark]
            if given.poison or task in unreadable:
                continue
            if mark not in by_mark:
                assert (given.item, given.person) in votes, f"not in the ledger: {mark} {given}"
                continue
            record = by_mark[mark]
            if record.standing is Standing.ASIDE:
                reason = AsideReason(record.reason)
                assert reason in (*SLIPS, AsideReason.DUPLICATE, AsideReason.OVER), record
                assert reason in SLIPS or given.item in counted, f"set aside for nothing: {record}"
            else:
                assert record.standing in COUNTED, f"deleted, but it is there: {record} {given}"
        for mark, given in self.given.items():
            if given.seen >= 0 and mark not in self.released and not given.poison:
                assert mark in by_mark, f"lost: {mark} {given}"
                standing = by_mark[mark].standing
                assert standing in (*COUNTED, Standing.ASIDE), f"lost: {by_mark[mark]} {given}"
        voters = Counter((r.item_id, r.annotator) for r in records if r.standing is Standing.VOTE)
        double = [key for key, n in voters.items() if n > 1]
        assert not double, f"two votes of one person: {double}"
        for mark in self.given.keys() - stored.keys() - self.removed:
            assert self.given[mark].epochs, f"gone from Label Studio: {mark} {self.given[mark]}"
        for given in self.given.values():
            assert len(set(given.epochs)) == len(given.epochs), f"deleted twice: {given}"
            assert not given.epochs or given.poison or SLIP in given.versions, f"deleted: {given}"


def _light_loop(service: Service) -> Loop:
    """The loop, which opens, selects, pushes and waits for people, but does not train."""
    far = datetime.now(UTC) + timedelta(minutes=5)

    def rest(*_: object) -> Wait:
        return Wait(far, "not in this test")

    def score(*_: object) -> Done:
        return Done(facts={"pool_rows": len(service.pool), "scored_with": None})

    steps = service.steps.table() | {"expand": lambda *_: Done(facts={}), "score": score}
    steps |= dict.fromkeys(("aggregate", "train", "evaluate"), rest)
    return Loop(
        service.ledger,
        steps,
        service.settings.opening,
        service.situation,
        owner=service.owner,
        retry=Retry(timedelta(seconds=30), 0.01, 0.02),
    )
