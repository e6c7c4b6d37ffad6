"""Label configs: what drives the loop, and what is refused."""

from contextlib import suppress
from xml.sax.saxutils import quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biasloop.errors import CampaignError
from biasloop.labelstudio.label_config import parse_label_config, same_config

TEXT = '<Text name="text" value="$text"/>'
CHOICES = (
    '<Choices name="label" toName="text" choice="multiple">'
    '<Choice value="none"/><Choice value="age"/><Choice value="gender"/></Choices>'
)


def view(*tags: str) -> str:
    return f"<View>{''.join(tags)}</View>"


names = st.lists(
    st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=8),
    min_size=2,
    max_size=6,
    unique=True,
)


@given(names, st.booleans(), st.data())
def test_labels_keep_their_order_without_the_none_label(
    labels: list[str], multi: bool, data: st.DataObject
) -> None:
    none = data.draw(st.sampled_from(labels)) if multi else None
    tags = "".join(f"<Choice value={quoteattr(label)}/>" for label in labels)
    choices = f'<Choices name="c" toName="t" choice="{"multiple" if multi else "single"}">'
    config = parse_label_config(
        view('<Text name="t" value="$words"/>', choices, tags, "</Choices>"), none
    )
    assert config.scheme.labels == tuple(label for label in labels if label != none)
    assert (config.scheme.multi, config.scheme.none_label) == (multi, none)
    assert (config.choices, config.text, config.value, config.context) == ("c", "t", "words", None)


@given(st.text())
def test_any_text_is_a_config_or_a_campaign_error(xml: str) -> None:
    with suppress(CampaignError):
        parse_label_config(xml, None)


def test_context_and_other_controls() -> None:
    config = parse_label_config(
        view(
            '<Header value="Che cosa dice?"/>',
            TEXT,
            CHOICES,
            '<Labels name="span" toName="text"><Label value="age"/></Labels>',
            '<Choices name="why" toName="text" perRegion="true"><Choice value="x"/></Choices>',
            '<TextArea name="rewrite" toName="text"/>',
            '<Header value="$context"/><Header value="$item_id"/>',
        ),
        "none",
    )
    assert config.context == "context"
    assert config.scheme.labels == ("age", "gender")
    assert (config.spans, config.rewrite) == ("span", "rewrite")


def test_a_second_choices_may_ask_for_a_second_look() -> None:
    flag = (
        '<Choices name="unsure" toName="text" choice="multiple"><Choice value="unsure"/></Choices>'
    )
    for tags in ((TEXT, CHOICES, flag), (TEXT, flag, CHOICES)):
        config = parse_label_config(view(*tags), "none")
        assert (config.choices, config.unsure) == ("label", "unsure")
        assert config.scheme.labels == ("age", "gender")
    assert parse_label_config(view(TEXT, CHOICES), "none").unsure is None
    with pytest.raises(CampaignError, match="exactly one"):
        parse_label_config(view(TEXT, CHOICES, flag.replace('"unsure" to', '"doubt" to')), "none")


def test_other_controls_of_the_same_kind_are_not_the_campaigns() -> None:
    firms = '<Labels name="firms" toName="text"><Label value="AZIENDA"/></Labels>'
    own = '<Labels name="marks" toName="text"><Label value="Età" alias="age"/></Labels>'
    comment = '<TextArea name="comment" toName="text"/>'
    config = parse_label_config(view(TEXT, firms, own, CHOICES, comment), "none")
    assert (config.spans, config.rewrite) == ("marks", None)
    assert parse_label_config(view(TEXT, firms, CHOICES), "none").spans is None


def test_the_name_of_a_choice_is_its_alias() -> None:
    tags = '<Choices name="c" toName="text"><Choice value="Età" alias="age"/><Choice value="x"/>'
    assert parse_label_config(view(TEXT, tags, "</Choices>"), None).scheme.labels == ("age", "x")


@pytest.mark.parametrize(
    ("xml", "none_label", "message"),
    [
        (view(TEXT), None, "exactly one"),
        (view(TEXT, CHOICES, CHOICES.replace('"label"', '"other"')), None, "label, other"),
        (view(CHOICES), None, "not a <Text>"),
        (view('<Image name="text" value="$text"/>', CHOICES), None, "not a <Text>"),
        (view(TEXT, CHOICES.replace('toName="text"', "")), None, "no toName"),
        (view(TEXT, CHOICES), "inclusive", "choices are: none, age, gender"),
        (view(TEXT, CHOICES.replace("multiple", "single")), "none", "remove none_label"),
        (view(TEXT, CHOICES.replace("gender", "age")), None, "duplicate <Choice>: age"),
        (view(TEXT, '<Choices name="c" toName="text" value="$options"/>'), None, "too few"),
        (
            view(
                TEXT,
                '<Choices name="c" toName="text"><Choice value="a"><Choice value="b"/></Choice>',
                "</Choices>",
            ),
            None,
            "nested",
        ),
        (view(TEXT.replace("$text", "fixed"), CHOICES), None, "must show the text"),
        (view(TEXT.replace("$text", "$item_id"), CHOICES), None, "must show the text"),
        (view(TEXT, CHOICES, '<Header value="$a"/><Header value="$b"/>'), None, r"\$a, \$b"),
        (view(TEXT, CHOICES, '<Image name="i" value="$picture"/>'), None, r"\$picture"),
        ("<View>", None, "well-formed"),
        ("", None, "well-formed"),
        ('<!DOCTYPE x [<!ENTITY a "aa">]><View>&a;</View>', None, "DOCTYPE"),
    ],
)
def test_unusable_configs_are_refused(xml: str, none_label: str, message: str) -> None:
    with pytest.raises(CampaignError, match=message):
        parse_label_config(xml, none_label)


def test_configs_differ_by_labels_but_not_by_white_space() -> None:
    one = view(TEXT, CHOICES)
    assert same_config(one, f'<?xml version="1.0"?>\n{one.replace("><", "> <")}')
    assert same_config(one, one.replace('name="text" value="$text"', "value='$text' name='text'"))
    assert not same_config(one, one.replace("gender", "sex"))
