"""A language model for tests that does what it is told, for the tiny campaign's labels.

It reads its task from the prompt as a real one would: from what is asked, never from the test.
"""

import json
import re
from hashlib import blake2b
from typing import Any

from support.llm_server import Asked

WORDS = (
    "magazzino", "cucina", "ufficio", "cantiere", "negozio", "scuola", "ospedale", "albergo",
    "officina", "laboratorio", "deposito", "mensa", "sartoria", "panificio", "tipografia", "vivaio",
    "farmacia", "biblioteca", "palestra", "teatro", "porto", "stazione", "mercato", "fattoria",
    "cascina", "fabbrica", "bottega", "cartiera", "segheria", "centrale",
)  # fmt: skip


def gold(text: str) -> list[str]:
    """What is right to say of a text of the tiny campaign."""
    padded = f" {text.lower()} "
    found = [label for label, cue in (("gender", " un "), ("age", " anni")) if cue in padded]
    return found or ["inclusive"]


def obedient(asked: Asked) -> dict[str, Any]:
    """The answer to a prompt of the expander or the judge, in English words."""
    system, user = (message["content"] for message in asked["messages"][:2])
    if "code" in properties(asked):
        return {"code": str(re.findall(r'"code": "(\w+)"', system)[0])}
    if "labels" in properties(asked):
        return {"reason": "Lo dicono le parole.", "labels": gold(quoted(user)[-1])}
    labels = re.findall(r"carr(?:y|ies) exactly (.+?) by the guideline", system)[0].split(" and ")
    if "as few words" in system:
        return {"text": edited(quoted(user)[0], labels)}
    return {"text": new_text(system + user, labels)}


RULE = "Chi cerca un addetto parla a tutti."
"""In a guideline: the masculine is no finding."""


def by_guideline(asked: Asked) -> dict[str, Any]:
    """The answer of a judge that heeds the guideline in its prompt."""
    system, user = (message["content"] for message in asked["messages"][:2])
    labels = gold(quoted(user)[-1])
    if RULE in system:
        labels = [label for label in labels if label != "gender"] or ["inclusive"]
    return {"reason": f"Dice <i>{', '.join(labels)}</i>.", "labels": labels}


def properties(asked: Asked) -> dict[str, Any]:
    """Of the object that is asked for."""
    found: dict[str, Any] = asked["response_format"]["json_schema"]["schema"]["properties"]
    return found


def quoted(user: str) -> list[str]:
    """The texts that a prompt quotes as data."""
    return [json.loads(text) for text in re.findall(r"<<<\w+ (\".*\") \w+>>>", user)]


def new_text(prompt: str, labels: list[str]) -> str:
    """A text that no other prompt gets."""
    digest = blake2b(prompt.encode(), digest_size=5).digest()
    a, b, c, d, e = (WORDS[byte % len(WORDS)] for byte in digest)
    who = "un addetto" if "gender" in labels else "personale"
    age = " sotto i 30 anni" if "age" in labels else ""
    return f"Per {a}, {b} e {c} cerchiamo {who}{age} tra {d} e {e}."


def edited(text: str, labels: list[str]) -> str:
    """The text with the cues of these labels and no others."""
    text = text.rstrip(".")
    if "gender" not in labels:
        text = text.replace(" un ", " ").replace(" Un ", " ")
    elif "gender" not in gold(text):
        text += " con un socio"
    if "age" not in labels:
        text = re.sub(r",?[^,]* anni", "", text)
    elif "age" not in gold(text):
        text += " entro 30 anni"
    return text + "."
