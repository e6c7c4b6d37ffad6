"""Label Studio over its API, behind the port `LabelStudio`."""

from dataclasses import replace
from typing import Any

from biasloop.domain.task import Account
from biasloop.errors import LabelStudioRefused
from biasloop.labelstudio.calls import may_be_gone
from biasloop.labelstudio.label_config import same_config
from biasloop.labelstudio.signup import sign_up
from biasloop.labelstudio.task_client import TaskClient
from biasloop.labelstudio.tasks import (
    to_html,
)

MARKER = "Made by biasloop, which sends tasks and settings here: please change them there."
"""The description of our project; with the title it distinguishes it from other projects."""

WEBHOOK_HEADER = "X-Biasloop-Secret"
"""The header by which the webhook knows Label Studio."""

WEBHOOK_EVENTS = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
)
"""The events for which Label Studio calls the webhook."""


class LabelStudioClient(TaskClient):
    """This campaign's project in Label Studio; see the port for what the methods guarantee."""

    # --- project ------------------------------------------------------------------------------

    def ensure_project(
        self, title: str, label_config: str, instruction: str, *, prelabels: bool = False
    ) -> int:
        """Creates the project or finds it again; `instruction` is Markdown, `prelabels` says
        whether annotators see the prelabels of tasks.

        Raises LabelStudioRefused when the project has another label config: annotations made with
        one config must not be read with another.
        """
        settings = {
            "expert_instruction": to_html(instruction),
            "show_instruction": True,
            "sampling": "Sequential sampling",
            "show_collab_predictions": prelabels,
        }
        with self._calling(f"create or find the project {title!r}"):
            project = self._find(title)
            if project is None:
                created = self._sdk.projects.create(
                    title=title, description=MARKER, label_config=label_config, **settings
                )
                # A second process on this workspace may have created one too: the first counts.
                project = self._find(title)
                if project.id != created.id:
                    with may_be_gone():
                        self._sdk.projects.delete(created.id)
            elif not same_config(project.label_config, label_config):
                raise LabelStudioRefused(
                    f"project {project.id} ({title!r}) at {self.url} has another label config than "
                    "the campaign; `biasloop pause --drain` first, then change it, or start a new "
                    "workspace"
                )
            elif any(getattr(project, name) != value for name, value in settings.items()):
                self._sdk.projects.update(project.id, **settings)
        self._project = int(project.id)
        return self._project

    def _find(self, title: str) -> Any:
        if self._project is not None:
            project = self._sdk.projects.get(self._project)
            if project.id != self._project:
                raise ValueError(
                    f"project {self._project} was asked for, and {project.id} came back"
                )
            return project
        same_title = [p for p in self._sdk.projects.list(title=title) if p.title == title]
        ours = sorted(p.id for p in same_title if p.description == MARKER)
        if same_title and not ours:
            raise LabelStudioRefused(
                f"Label Studio at {self.url} has a project {title!r} that biasloop did not "
                "create; rename that project"
            )
        return self._sdk.projects.get(ours[0]) if ours else None

    def task_url(self, task_id: int | None = None) -> str:
        """Where an annotator labels: the stream of tasks, or one task."""
        query = "labeling=1" if task_id is None else f"task={task_id}"
        return f"{self.url}/projects/{self.project}/data?{query}"

    def add_webhook(self, url: str, secret: str) -> None:
        """Makes Label Studio call `url`, without content but with `secret` in the header
        WEBHOOK_HEADER, when an annotation is created, changed or deleted.

        It never retries and a call may get lost: the call only wakes the loop, which then polls.
        """
        headers = {WEBHOOK_HEADER: secret}
        with self._calling("set up the webhook"):
            ours = [h for h in self._sdk.webhooks.list(project=str(self.project)) if h.url == url]
            if any(hook.is_active and hook.headers == headers for hook in ours):
                return
            for outdated in ours:
                self._sdk.webhooks.delete(outdated.id)
            self._sdk.webhooks.create(
                url=url,
                project=self.project,
                headers=headers,
                actions=list(WEBHOOK_EVENTS),
                send_for_all_actions=False,
                send_payload=False,
            )

    def remove_webhook(self, url: str) -> None:
        """Ends the calls of `url`; does nothing where there are none."""
        with self._calling("remove the webhook"):
            for hook in self._sdk.webhooks.list(project=str(self.project)):
                if hook.url == url:
                    with may_be_gone():
                        self._sdk.webhooks.delete(hook.id)

    # --- annotators ---------------------------------------------------------------------------

    def add_annotator(self, email: str, password: str) -> Account:
        """Creates an account that may label, or finds it and leaves its password unchanged.

        Every member of a Label Studio Community organization may label all of its projects.
        """
        if account := self._account(email):
            return account
        with self._calling("ask for an invitation"):
            invitation = self._sdk.organizations.invites.get_invite_link().token
        sign_up(self.url, str(invitation), email, password, self._timeout)
        account = self._account(email)
        if account is None:
            raise LabelStudioRefused(
                f"the account {email} is in another organization of Label Studio at {self.url}; "
                "choose another address"
            )
        return replace(account, new=True)

    def _account(self, email: str) -> Account | None:
        with self._calling("list accounts"):
            users = self._sdk.users.list()
        return next(
            (Account(int(u.id), u.email) for u in users if u.email.lower() == email.lower()), None
        )
