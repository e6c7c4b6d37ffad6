"""Opens the language model that settings and secrets of a workspace name."""

from biasloop.domain.writing.prompt import Budget, Price
from biasloop.llm.cache import AnswerCache
from biasloop.llm.client import Limits, LlmClient
from biasloop.llm.server import Server
from biasloop.workspace.layout import Layout
from biasloop.workspace.secrets import read_secrets
from biasloop.workspace.settings import LlmSettings


def open_model(layout: Layout, settings: LlmSettings, purse: str) -> LlmClient:
    """A client whose spending is charged to `purse`. Raises ConfigError when the settings name no
    model."""
    settings.require()
    key = read_secrets(layout.folder).get("LLM_API_KEY")
    server = Server(
        settings.base_url,
        settings.model,
        key.get_secret_value() if key else None,
        settings.timeout_seconds,
    )
    limits = Limits(
        concurrency=settings.concurrency,
        patience=settings.patience_seconds,
        tokens=settings.answer_tokens,
        price=Price(settings.price_in, settings.price_out),
        budget=Budget(settings.round_budget, settings.budget),
    )
    return LlmClient(server, limits, AnswerCache(layout.llm), purse)
