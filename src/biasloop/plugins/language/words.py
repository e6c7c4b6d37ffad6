"""What is known of a word by itself, whatever its neighbours; looked up once for each word."""

from biasloop.plugins.language.cache import cached_by_word
from biasloop.plugins.language.data import Language

_CLOSED = (
    "particles",
    "conjunctions",
    "prepositions",
    "relatives",
    "modals",
    "copulas",
    "copulas_infinitive",
    "copulas_you",
    "copulas_us",
    "have",
    "clitics",
    "adverbs",
)


@cached_by_word
def closed_class(word: str, language: Language) -> str | None:
    """The class of function words that a word belongs to, if any."""
    return next((name for name in _CLOSED if word in language.classes[name]), None)


@cached_by_word
def has_shape(word: str, shape: str, language: Language) -> bool:
    """Whether a word matches a shape of the language from its start on."""
    return language.shapes[shape].match(word) is not None
