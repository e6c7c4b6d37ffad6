"""The folders and files of one campaign on disk."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths of a workspace; nothing here reads or writes them."""

    folder: Path

    @property
    def campaign(self) -> Path:
        """The campaign folder, copied at `init`."""
        return self.folder / "campaign"

    @property
    def pool(self) -> Path:
        """The pool: Arrow shards."""
        return self.folder / "pool"

    @property
    def models(self) -> Path:
        """A folder for each finished model."""
        return self.folder / "models"

    @property
    def tunings(self) -> Path:
        """A folder for each tuning of a language model."""
        return self.folder / "tunings"

    @property
    def features(self) -> Path:
        """Feature rows of the items, by encoder and shard."""
        return self.folder / "features"

    @property
    def scores(self) -> Path:
        """Score files, by model and shard."""
        return self.folder / "scores"

    @property
    def rejects(self) -> Path:
        """Rows that could not be imported."""
        return self.folder / "rejects"

    @property
    def exports(self) -> Path:
        """What `biasloop export` writes."""
        return self.folder / "exports"

    @property
    def export_log(self) -> Path:
        """Which export held which ads."""
        return self.folder / "export_log"

    @property
    def machine_labels(self) -> Path:
        """What a model labelled at a stated risk, by label."""
        return self.folder / "machine_labels"

    @property
    def llm(self) -> Path:
        """Cache of requests to language models and their answers."""
        return self.folder / "llm.db"

    @property
    def positions(self) -> Path:
        """What annotators stated about themselves, with their consent."""
        return self.folder / "positions.json"

    @property
    def visits(self) -> Path:
        """Who came to the gateway when, by pseudonym."""
        return self.folder / "visits.log"

    @property
    def labelstudio(self) -> Path:
        """Data of the embedded Label Studio."""
        return self.folder / "labelstudio"

    @property
    def ledger_url(self) -> str:
        """The default ledger: SQLite in the workspace."""
        return f"sqlite:///{self.folder / 'ledger.db'}"

    @property
    def work(self) -> Path:
        """Working folders of child processes."""
        return self.folder / "work"

    def job(self, round_id: int | None, step: str) -> Path:
        """Working folder of a child process, by round (None: work by hand) and step; removed when
        the round closes."""
        name = "manual" if round_id is None else f"{round_id:04d}"
        return self.work / f"{name}-{step}"
