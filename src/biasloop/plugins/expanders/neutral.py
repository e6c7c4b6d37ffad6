"""Another wording of a sentence, which names nobody by gender, where the language data know one."""

from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from biasloop.domain.text import in_one_line
from biasloop.plugins.expanders.gender import gender_versions
from biasloop.plugins.expanders.labels import read_names
from biasloop.plugins.language.data import read_language

PREFERRED = ("gender:neutral", "gender:paired", "gender:double")


class NeutralWriter:
    """Rewrites sentences with the language data in a campaign's folder. Raises CampaignError when
    they cannot be read."""

    def __init__(self, folder: Path) -> None:
        self._language = read_language(folder / "counterfactual")
        if self._language is not None:
            self._names = read_names(folder / "counterfactual" / "labels.toml")

    def rewrite(self, text: str, labels: Sequence[str]) -> str | None:
        """The sentence in another wording; None where the labels are not about gender, or the
        language data do not allow a sure one."""
        if self._language is None or not {self._names.sought, self._names.others} & set(labels):
            return None
        line = in_one_line(text)
        drafts = {
            draft.key: draft.text
            for draft in gender_versions(line, labels, self._language, self._names)
        }
        return next(chain((drafts[key] for key in PREFERRED if key in drafts), (None,)))
