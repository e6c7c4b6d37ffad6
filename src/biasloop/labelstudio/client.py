"""Label Studio over its API. Everything that goes wrong there becomes a LabelStudioError."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import batched
from typing import Any
from urllib.parse import urlsplit

from biasloop.errors import LabelStudioDown, LabelStudioRefused
from biasloop.labelstudio.calls import call
from biasloop.labelstudio.config import LabelConfig, same_config
from biasloop.labelstudio.instruction import to_html
from biasloop.labelstudio.signup import sign_up
from biasloop.labelstudio.tasks import annotators, to_json, to_state
from biasloop.ports import Account, LabelTask, TaskState

MARKER = "Made by biasloop. Tasks and settings come from there; please change nothing here."
"""The description of our project: with the title it tells ours from others'."""

PUSH_SIZE = 500
LOOKUP_SIZE = 300  # ids in one URL, which must stay under 16 KB
PAGE_SIZE = 400
WAKING = ("ANNOTATION_CREATED", "ANNOTATIONS_CREATED", "ANNOTATION_UPDATED", "ANNOTATIONS_DELETED")
