"""Reads a campaign's label_config.xml. Pure."""

import re
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from biasloop.domain.label import Scheme
from biasloop.errors import CampaignError

OWN_KEYS = ("item_id", "round")
"""Keys in the data of every task besides the text and its context."""

REWRITE = "rewrite"
"""The name of the `TextArea` in which annotators rewrite the text."""

UNSURE = "unsure"
"""The name of the `Choices` by which annotators ask for a second look, next to their labels."""

_TEXT_TAGS = ("Text", "HyperText", "Header", "Paragraphs")
_NAMES_TAGS = ("Choice", "Label")
_VARIABLE = re.compile(r"\$([\w.\[\]-]+)")


@dataclass(frozen=True, slots=True)
class LabelConfig:
    """The `Choices` over a `Text` that the loop uses, and the controls that it reports on.

    `choices`, `text`, `spans` and `rewrite` are names of tags, `value` and `context` keys of a
    task's data. `spans` is the first `Labels` over the text that has a label of the scheme,
    `rewrite` the `TextArea` and `unsure` the second `Choices` over the text of that name. Other
    controls are stored verbatim and mean nothing here.
    """

    scheme: Scheme
    choices: str
    text: str
    value: str
    context: str | None
    spans: str | None = None
    rewrite: str | None = None
    unsure: str | None = None


def parse_label_config(xml: str, none_label: str | None) -> LabelConfig:
    """Reads the label config of a campaign.

    Labels are in the order of the config. The name of a Choice is its `alias` if it has one, as in
    Label Studio's results. `Choices` with perRegion are about spans, not about the text, and are
    ignored. Raises CampaignError when the config cannot be used.
    """
    root = _parse(xml)
    choices = _text_choices(root)
    text = _text_of(root, choices)
    multi = choices.get("choice", "single") == "multiple"
    scheme = _scheme(choices, multi, none_label)
    return LabelConfig(
        scheme=scheme,
        choices=_attribute(choices, "name"),
        text=_attribute(text, "name"),
        value=_value(text),
        context=_context(root, _value(text)),
        spans=_spans(root, _attribute(text, "name"), scheme),
        rewrite=_control(root, "TextArea", REWRITE, _attribute(text, "name")),
        unsure=_control(root, "Choices", UNSURE, _attribute(text, "name")),
    )


def choice_hints(xml: str) -> dict[str, str]:
    """What annotators see next to each label: the displayed name and the hint."""
    return {
        tag.get("alias") or _attribute(tag, "value"): " ".join(
            words for words in (tag.get("html"), tag.get("hint")) if words
        )
        for tag in _text_choices(_parse(xml)).iter("Choice")
    }


def same_config(one: str, other: str) -> bool:
    """Whether two label configs are equal except for white space and the order of attributes."""
    return _canonical(one) == _canonical(other)


def _canonical(xml: str) -> str:
    _parse(xml)
    return ET.canonicalize(xml, strip_text=True)


def _parse(xml: str) -> ET.Element:
    # Entity bombs and external entities need a DOCTYPE; label configs do not.
    if "<!DOCTYPE" in xml:
        raise CampaignError("label_config.xml: a DOCTYPE is not allowed; remove it")
    try:
        return ET.fromstring(xml)  # noqa: S314
    except ET.ParseError as error:
        raise CampaignError(
            f"label_config.xml is not well-formed XML: {error}; correct it there"
        ) from error


def _text_choices(root: ET.Element) -> ET.Element:
    choices = [
        tag
        for tag in root.iter("Choices")
        if tag.get("perRegion", "false") != "true" and tag.get("name") != UNSURE
    ]
    if len(choices) != 1:
        names = ", ".join(tag.get("name", "?") for tag in choices) or "none"
        raise CampaignError(
            "label_config.xml: exactly one <Choices> about the text is needed; found "
            f'{len(choices)} ({names}); keep one, or set perRegion="true" on those about spans; '
            f'one named "{UNSURE}" may ask for a second look'
        )
    return choices[0]


def _text_of(root: ET.Element, choices: ET.Element) -> ET.Element:
    target = _attribute(choices, "toName")
    for tag in root.iter("Text"):
        if tag.get("name") == target:
            return tag
    raise CampaignError(
        f'label_config.xml: <Choices name="{choices.get("name")}"> refers to "{target}", which '
        "is not a <Text>; set toName to the name of the <Text> that is labelled"
    )


def _scheme(choices: ET.Element, multi: bool, none_label: str | None) -> Scheme:
    if choices.find("Choice//Choice") is not None:
        raise CampaignError("label_config.xml: nested <Choice> tags; write one flat list")
    names = [tag.get("alias") or _attribute(tag, "value") for tag in choices.iter("Choice")]
    duplicates = sorted({name for name in names if names.count(name) > 1})
    if duplicates:
        raise CampaignError(
            f"label_config.xml: duplicate <Choice>: {', '.join(duplicates)}; keep one of each"
        )
    if none_label is not None and not multi:
        raise CampaignError(
            f'none_label = "{none_label}" needs choice="multiple" in label_config.xml; with one '
            "choice the negative is a class like the others: remove none_label from campaign.toml"
        )
    if none_label is not None and none_label not in names:
        raise CampaignError(
            f'none_label = "{none_label}" is not a <Choice> in label_config.xml; choices are: '
            f"{', '.join(names) or 'none'}; correct campaign.toml"
        )
    labels = tuple(name for name in names if name != none_label)
    if len(labels) < (1 if multi else 2):
        raise CampaignError(
            f"label_config.xml: {len(labels)} labels are too few; add <Choice> tags"
        )
    return Scheme(labels=labels, multi=multi, none_label=none_label)


def _context(root: ET.Element, value: str) -> str | None:
    tag_of = {
        match[1]: tag.tag
        for tag in root.iter()
        if tag.tag not in _NAMES_TAGS and (match := _VARIABLE.fullmatch(tag.get("value", "")))
    }
    others = [key for key in tag_of if key not in (value, *OWN_KEYS)]
    if len(others) > 1 or any(tag_of[key] not in _TEXT_TAGS for key in others):
        raise CampaignError(
            f"label_config.xml refers to {', '.join('$' + key for key in others)}; a task has "
            f"${value}, one more text for its context (in a <Text> or <Header>), $item_id and "
            "$round; remove the rest"
        )
    return others[0] if others else None


def _spans(root: ET.Element, text: str, scheme: Scheme) -> str | None:
    for control in root.iter("Labels"):
        names = {tag.get("alias") or tag.get("value") for tag in control.iter("Label")}
        if control.get("toName") == text and names & {*scheme.choices}:
            return control.get("name")
    return None


def _control(root: ET.Element, tag: str, name: str, text: str) -> str | None:
    """The name, if there is such a control over the text."""
    controls = (control.get("name") for control in root.iter(tag) if control.get("toName") == text)
    return name if name in controls else None


def _value(text: ET.Element) -> str:
    match = _VARIABLE.fullmatch(_attribute(text, "value"))
    if match is None or match[1] in OWN_KEYS:
        raise CampaignError(
            f'label_config.xml: <Text name="{text.get("name")}"> must show the text of the task, '
            'for instance value="$text"'
        )
    return match[1]


def _attribute(tag: ET.Element, name: str) -> str:
    value = tag.get(name)
    if not value:
        raise CampaignError(f'label_config.xml: a <{tag.tag}> has no {name}; add {name}="…"')
    return value
