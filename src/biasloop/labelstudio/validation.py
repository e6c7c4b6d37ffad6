"""Validates a label config by the rules of Label Studio's own SDK, which the server applies too."""

from label_studio_sdk.label_interface import LabelInterface

from biasloop.errors import CampaignError


def validate_label_config(xml: str) -> None:
    """Raises CampaignError when Label Studio would refuse the label config."""
    try:
        LabelInterface(xml).validate()
    except Exception as error:  # its exceptions have no common class
        raise CampaignError(
            f"label_config.xml: Label Studio refuses it: {str(error).strip()}; correct that tag"
        ) from error
