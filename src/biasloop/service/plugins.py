"""The plug-ins that the settings name, built before a round needs them."""

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

from biasloop.domain.label import Scheme
from biasloop.errors import ClassifierError, ConfigError
from biasloop.plugins.classifiers.options import ThresholdOptions, check_precision
from biasloop.plugins.registry import Kind, check_options, create, plugin
from biasloop.ports import (
    Classifier,
    Expander,
    PromptExpander,
    Strategy,
    needs_language_model,
)
from biasloop.rounds.steps.train.recipe import Recipe
from biasloop.workspace.layout import Layout
from biasloop.workspace.settings import Settings


@runtime_checkable
class PretrainedClassifier(Protocol):
    """A classifier that starts from a pretrained model."""

    def find_pretrained_model(self) -> object:
        """Opens that model without its weights. Raises ClassifierError when it is of no use."""


def build_strategy(settings: Settings) -> Strategy:
    """The strategy. Raises UnknownName or ConfigError."""
    strategy: Strategy = create(Kind.STRATEGY, settings.strategy.name, settings.strategy.options)
    return strategy


def expander_options(settings: Settings, layout: Layout) -> dict[str, dict[str, Any]]:
    """The options of every expander by its name; with the campaign folder if it takes one."""
    return {name: _with_folder(name, settings, layout) for name in settings.expander.names}


def build_expanders(
    settings: Settings, options: Mapping[str, Mapping[str, Any]]
) -> dict[str, Expander | PromptExpander]:
    """The expanders by name. Raises UnknownName, or ConfigError for wrong options, and when one
    needs a language model but none is set."""
    expanders = {name: create(Kind.EXPANDER, name, chosen) for name, chosen in options.items()}
    if any(needs_language_model(expander) for expander in expanders.values()):
        settings.llm.require()
    return expanders


def check_classifier(recipe: Recipe, scheme: Scheme) -> None:
    """Raises UnknownName or ConfigError when no classifier can be built, or when its options name
    labels that the scheme does not have. Loads none: that takes seconds, and a child process
    trains."""
    options = check_options(Kind.CLASSIFIER, recipe.classifier, recipe.options)
    if isinstance(options, ThresholdOptions):
        try:
            check_precision(options.precision, scheme.labels, scheme.multi)
        except ClassifierError as error:
            raise ConfigError(str(error)) from None


def try_classifier(recipe: Recipe, strategy: Strategy) -> Classifier:
    """The classifier, not yet trained. Raises UnknownName or ConfigError, ClassifierError when
    its pretrained model cannot be read, and ConfigError when the strategy needs other scores."""
    classifier: Classifier = create(Kind.CLASSIFIER, recipe.classifier, recipe.options)
    if isinstance(classifier, PretrainedClassifier):
        classifier.find_pretrained_model()
    if missing := strategy.needs - classifier.offers:
        raise ConfigError(
            f"the strategy needs {', '.join(sorted(missing))}, which {recipe.classifier!r} does "
            "not compute with these options; choose another strategy, or set "
            "classifier.options.committee = true"
        )
    return classifier


def _with_folder(name: str, settings: Settings, layout: Layout) -> dict[str, Any]:
    model = plugin(Kind.EXPANDER, name).options_model()
    options = dict(settings.expander.options.get(name, {}))
    if model is not None and "folder" in model.model_fields:
        options.setdefault("folder", str(layout.campaign))
    return options
