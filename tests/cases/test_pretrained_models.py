"""Kind 8: a pretrained model's own description is not taken at face value."""

from pathlib import Path

import pytest

from biasloop.plugins.registry import Kind, create
from support.tiny_checkpoint import make_multimodal

TEXTS = ["Cerchiamo una cameriera.", "Età massima 30 anni."]


def test_the_text_part_of_a_model_for_images_too_is_read(tmp_path: Path) -> None:
    """Case 26: the sizes stand in its text_config; the child process ended without a result."""
    model = make_multimodal(tmp_path / "model", TEXTS)
    try:
        classifier = create(Kind.CLASSIFIER, "embedding", {"model": str(model)})
        rows = classifier.make_encoder(TEXTS).encode(TEXTS)
    except AttributeError as error:
        pytest.fail(f"it was not read: {error}")
    assert len(rows) == len(TEXTS)
