"""What authors marked and wrote, in columns."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from biasloop.domain.annotation import Annotation
from biasloop.labelstudio.label_config import LabelConfig
from biasloop.labelstudio.tasks import is_flagged, marked, rewrites

Places = dict[str, list[list[int]]]
"""Per label the places [start, end) of its spans in the text."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What one author marked and wrote."""

    spans: Places = field(default_factory=dict)
    rewrite: tuple[str, ...] = ()
    unsure: bool = False


def read_marks(annotation: Annotation, controls: LabelConfig, text: str) -> Marks:
    """The marks of an annotation on an item with this text ("": taken down; spans and rewrites
    repeat words of the ad).

    Spans of people are extended to whole words; those that an imported label came with stay as
    they are.
    """
    extra = annotation.extra
    result = extra.get("result", ())
    unsure = is_flagged(result, controls)
    if not text:
        return Marks(unsure=unsure)
    spans: Places = {}
    for span in marked(result, controls, text):
        spans.setdefault(span.label, []).append([span.start, span.end])
    for label, start, end in _imported_spans(extra.get("spans", ()), text):
        spans.setdefault(controls.scheme.current_name(label), []).append([start, end])
    imported = extra.get("rewrite")
    written = [*rewrites(result, controls), *([imported] if isinstance(imported, str) else [])]
    return Marks(spans, tuple(written), unsure)


def _imported_spans(spans: Iterable[object], text: str) -> Iterable[tuple[str, int, int]]:
    for span in spans:
        match span:
            case {"label": str(label), "start": int(start), "end": int(end)}:
                if 0 <= start < end <= len(text):
                    yield label, start, end


def merge_marks(marks: Iterable[Marks], labels: Iterable[str]) -> tuple[Places, str | None]:
    """The spans of these labels and the rewrites of several authors, each once, in order."""
    marks = list(marks)
    places: Mapping[str, set[tuple[int, int]]] = {
        label: {(start, end) for mark in marks for start, end in mark.spans.get(label, ())}
        for label in labels
    }
    written = dict.fromkeys(text for mark in marks for text in mark.rewrite)
    spans = {label: [list(at) for at in sorted(found)] for label, found in places.items() if found}
    return spans, "\n".join(written) or None
