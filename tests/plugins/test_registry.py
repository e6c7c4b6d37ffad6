"""The registry: names, options, and the messages about wrong ones."""

import tomllib

import pytest

from biasloop.errors import ConfigError, UnknownName
from biasloop.plugins import registry
from biasloop.plugins.registry import (
    Kind,
    Options,
    check_options,
    create,
    names,
    plugin,
    register,
)

ALL = [(kind, name) for kind in Kind for name in names(kind)]


class SizeOptions(Options):
    size: int = 3


class Sized:
    def __init__(self, options: SizeOptions) -> None:
        self.options = options


class Plain:
    pass


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> None:
    """A registry of this test alone, with one plug-in that takes options and one that does not."""
    monkeypatch.setattr(registry, "_plugins", {})
    register(Kind.STRATEGY, "sized", f"{__name__}:Sized", f"{__name__}:SizeOptions")
    register(Kind.STRATEGY, "plain", f"{__name__}:Plain")


def test_every_kind_has_a_plugin() -> None:
    assert {kind for kind, _ in ALL} == set(Kind)
    assert names(Kind.STRATEGY) == sorted(names(Kind.STRATEGY))
    assert {"auto", "random"} < set(names(Kind.STRATEGY))


@pytest.mark.parametrize(("kind", "name"), ALL)
def test_every_target_loads(kind: Kind, name: str) -> None:
    row = plugin(kind, name)
    assert (row.kind, row.name) == (kind, name)
    assert isinstance(row.load(), type)
    model = row.options_model()
    if model is not None:
        assert issubclass(model, Options)
        with pytest.raises(ConfigError, match=f"{kind} '{name}': .*no_such_option: "):
            create(kind, name, {"no_such_option": 1})
    else:
        assert create(kind, name, {}) is not create(kind, name)
        with pytest.raises(ConfigError, match=f"{kind} '{name}' takes no options, got: size"):
            create(kind, name, {"size": 1})


@pytest.mark.parametrize("kind", Kind)
def test_an_unknown_name_lists_the_known_ones(kind: Kind) -> None:
    with pytest.raises(UnknownName) as raised:
        create(kind, "no-such")
    assert str(raised.value) == f"no {kind} is called 'no-such'; known: {', '.join(names(kind))}"


@pytest.mark.usefixtures("scratch")
def test_a_name_is_unique_within_its_kind() -> None:
    with pytest.raises(ValueError, match="strategy 'plain' is registered twice"):
        register(Kind.STRATEGY, "plain", "elsewhere:Other")
    register(Kind.EXPORTER, "plain", "elsewhere:Other")
    assert names(Kind.STRATEGY) == ["plain", "sized"]
    with pytest.raises(UnknownName, match="no classifier is called 'plain'; known: none"):
        plugin(Kind.CLASSIFIER, "plain")


@pytest.mark.usefixtures("scratch")
def test_options_are_checked_and_frozen() -> None:
    assert create(Kind.STRATEGY, "sized").options.size == 3
    created = create(Kind.STRATEGY, "sized", {"size": 5})
    assert created.options.size == 5
    with pytest.raises(ValueError, match="frozen"):
        created.options.size = 6
    with pytest.raises(
        ConfigError, match=r"options of strategy 'sized': size: must be a whole number"
    ):
        create(Kind.STRATEGY, "sized", {"size": "many"})
    with pytest.raises(ConfigError, match=r"sise: .*; size: |size: .*; sise: "):
        create(Kind.STRATEGY, "sized", {"sise": 1, "size": "many"})


@pytest.mark.usefixtures("scratch")
def test_registering_imports_nothing() -> None:
    register(Kind.CLASSIFIER, "heavy", "no_such_module:Heavy")
    assert names(Kind.CLASSIFIER) == ["heavy"]
    with pytest.raises(ModuleNotFoundError):
        plugin(Kind.CLASSIFIER, "heavy").load()


def test_a_precision_without_label_says_what_to_write() -> None:
    with pytest.raises(ConfigError, match="precision: must be a table") as error:
        check_options(Kind.CLASSIFIER, "tfidf", {"precision": 0.9})
    advice = str(error.value).partition("such as ")[2]
    assert check_options(Kind.CLASSIFIER, "tfidf", tomllib.loads(f"precision = {advice}"))


@pytest.mark.parametrize("value", [0.9, "many", -1, True, [0.5], {"a": [1]}])
@pytest.mark.parametrize(("kind", "name"), ALL)
def test_wrong_values_get_a_message_in_our_words(kind: Kind, name: str, value: object) -> None:
    model = plugin(kind, name).options_model()
    messages = []
    for option in model.model_fields if model else ():
        try:
            check_options(kind, name, {option: value})
        except ConfigError as error:
            messages.append(str(error))
    assert not [message for message in messages if "Input" in message or "valid" in message]
