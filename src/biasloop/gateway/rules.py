"""Which requests pass to Label Studio, on what condition, and what becomes of the reply. Pure.

Label Studio's community edition has no roles: every account may do everything. So what is not in
this table is refused. It holds what the labelling page of the tested version asks for.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Condition(StrEnum):
    """What must hold for the numbers in a path."""

    OUR_PROJECT = "the project is the campaign's"
    OUR_TASK = "the task is in the campaign's project"
    OFFERED_TASK = "the task was offered to this person"
    OWN_ANNOTATION = "the annotation is one's own"
    OWN_SKIP = "the annotation is one's own and says that the task was skipped"
    OWN_DRAFT = "the draft is one's own"


class Body(StrEnum):
    """What is taken from the body of a request; nothing else of it is passed on."""

    NONE = "nothing"
    ANNOTATION = "an annotation"
    DRAFT = "an unfinished annotation"
    NEXT_TASK = "nothing: the gateway writes it itself"


class Treatment(StrEnum):
    """What becomes of a reply of Label Studio."""

    PAGE = "the labelling page, with our script"
    ASSET = "a file that is the same for everybody"
    TASK = "a task with one's own annotations alone"
    ANNOTATION = "one's own annotation"
    DRAFT = "one's own draft"
    PROJECT = "what the page needs of the project"
    HISTORY = "the tasks that one answered"
    CANNED = "made here; Label Studio is not asked"


@dataclass(frozen=True, slots=True)
class Rule:
    """One kind of request that passes. `path` is a pattern for the whole raw path; a trailing slash
    may follow. `query` are the names that may stand in the query, each once; what is in
    `fixed_query` must stand there."""

    method: str
    path: str
    treatment: Treatment
    conditions: tuple[Condition, ...] = ()
    query: frozenset[str] = frozenset()
    body: Body = Body.NONE
    fixed_query: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The path for people, as /api/tasks/{task}."""
        path = self.path.replace(FILE, "{file}")
        return re.sub(r"\(\?P<(\w+)>[^)]*\)", r"{\1}", path).replace("\\", "")

    @property
    def changes_annotations(self) -> bool:
        """Whether it changes what the loop reads."""
        return self.method != "GET" and self.treatment is Treatment.ANNOTATION


def _names(names: str) -> frozenset[str]:
    return frozenset(names.split())


NUMBER = r"[1-9]\d{0,9}"
PROJECT, TASK, ANNOTATION, DRAFT = (
    f"(?P<{name}>{NUMBER})" for name in ("project", "task", "annotation", "draft")
)
FILE = r"(?!.*\.\.)[\w./@-]+"
OUR_PROJECT, OUR_TASK = (Condition.OUR_PROJECT,), (Condition.OUR_TASK,)
OFFERED = (*OUR_TASK, Condition.OFFERED_TASK)
OWN_ANNOTATION, OWN_DRAFT = (Condition.OWN_ANNOTATION,), (Condition.OWN_DRAFT,)
OF_TASK = _names("taskID project")

RULES = (
    # The page and its files.
    Rule("GET", rf"/projects/{PROJECT}/data", Treatment.PAGE, OUR_PROJECT,
         _names("labeling tab task")),
    Rule("GET", rf"/react-app/{FILE}", Treatment.ASSET, query=_names("v")),
    Rule("GET", rf"/static/{FILE}", Treatment.ASSET, query=_names("v")),
    Rule("GET", r"/favicon\.ico", Treatment.ASSET),
    # What the page asks before it shows a task.
    Rule("GET", r"/api/version", Treatment.CANNED),
    Rule("GET", r"/api/current-user/whoami", Treatment.CANNED),
    Rule("GET", r"/api/ml", Treatment.CANNED, query=_names("project")),
    Rule("GET", r"/api/label_links", Treatment.CANNED,
         query=_names("project expand page page_size")),
    Rule("GET", r"/api/users", Treatment.CANNED, query=_names("project page page_size")),
    Rule("GET", r"/api/dm/columns", Treatment.CANNED, query=_names("project")),
    Rule("GET", r"/api/dm/views", Treatment.CANNED, query=_names("project")),
    Rule("GET", r"/api/tasks", Treatment.CANNED,
         query=_names("page page_size view project interaction")),
    Rule("GET", rf"/api/projects/{PROJECT}", Treatment.PROJECT, OUR_PROJECT),
    Rule("GET", r"/api/dm/project", Treatment.PROJECT, OUR_PROJECT,
         _names("project interaction include")),
    Rule("GET", rf"/api/projects/{PROJECT}/label-stream-history", Treatment.HISTORY, OUR_PROJECT,
         _names("project")),
    # Tasks and answers.
    Rule("POST", r"/api/dm/actions", Treatment.TASK, OUR_PROJECT, _names("id tabID project"),
         Body.NEXT_TASK, {"id": "next_task"}),
    Rule("GET", rf"/api/tasks/{TASK}", Treatment.TASK, OUR_TASK, _names("interaction project")),
    Rule("POST", rf"/api/tasks/{TASK}/annotations", Treatment.ANNOTATION, OFFERED, OF_TASK,
         Body.ANNOTATION),
    Rule("PATCH", rf"/api/annotations/{ANNOTATION}", Treatment.ANNOTATION, OWN_ANNOTATION, OF_TASK,
         Body.ANNOTATION),
    Rule("DELETE", rf"/api/annotations/{ANNOTATION}", Treatment.ANNOTATION,
         (*OWN_ANNOTATION, Condition.OWN_SKIP), OF_TASK),
    Rule("POST", rf"/api/tasks/{TASK}/drafts", Treatment.DRAFT, OFFERED, OF_TASK, Body.DRAFT),
    Rule("POST", rf"/api/tasks/{TASK}/annotations/{ANNOTATION}/drafts", Treatment.DRAFT,
         (*OUR_TASK, *OWN_ANNOTATION), OF_TASK, Body.DRAFT),
    Rule("PATCH", rf"/api/drafts/{DRAFT}", Treatment.DRAFT, OWN_DRAFT, OF_TASK, Body.DRAFT),
    Rule("DELETE", rf"/api/drafts/{DRAFT}", Treatment.DRAFT, OWN_DRAFT, OF_TASK),
)  # fmt: skip

MAX_PATH = 400
VALUE = r"[\w.,:-]{0,200}"
"""What stands in a query; long ones would fill the memory of files."""


@dataclass(frozen=True, slots=True)
class Match:
    """A request that a rule lets through if its conditions hold. `numbers` are those of the path
    and the query, by name: project, task, annotation, draft."""

    rule: Rule
    path: str
    numbers: Mapping[str, int]
    query: Mapping[str, str] = field(default_factory=dict)


def match(method: str, raw_path: bytes, query: list[tuple[str, str]]) -> Match | None:
    """The rule for a request; None if it is refused.

    The raw path is compared, as it was sent: Label Studio would decode it, and take one path in
    many spellings.
    """
    if len(raw_path) > MAX_PATH or not raw_path.isascii():
        return None
    path, values = raw_path.decode("ascii"), dict(query)
    if len(values) != len(query):
        return None  # Label Studio would take the last of two, another reader the first
    for rule in RULES:
        parts = re.fullmatch(rule.path + "/?", path, re.ASCII) if rule.method == method else None
        if parts is None or not values.keys() <= rule.query:
            continue
        if not all(re.fullmatch(VALUE, value, re.ASCII) for value in values.values()):
            return None
        numbers = _numbers(parts.groupdict(), values)
        if numbers is not None and rule.fixed_query.items() <= values.items():
            return Match(rule, path, numbers, values)
    return None


def _numbers(in_path: Mapping[str, str], query: Mapping[str, str]) -> dict[str, int] | None:
    """The numbers in path and query by name; None if they are none, or contradict each other."""
    numbers = {name: int(number) for name, number in in_path.items()}
    for name, key in (("project", "project"), ("task", "taskID")):
        if key not in query:
            continue
        if not re.fullmatch(NUMBER, query[key], re.ASCII):
            return None
        if numbers.setdefault(name, int(query[key])) != int(query[key]):
            return None
    return numbers
