"""A real OpenAI-compatible server with a real language model, tiny and made on the spot.

It has learned some seconds long to write like the tiny campaign's ads, follows no instruction
whatever, and keeps to the JSON Schema it is given.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zlib import crc32

import llguidance
import llguidance.hf
import numpy as np
import torch
from fastapi import FastAPI
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from biasloop.web.server import WebServer

ADS = Path(__file__).parents[1] / "campaigns" / "tiny" / "seeds" / "ads.jsonl"
END = "</s>"
WINDOW = 32
"""Tokens that the model looks back at."""
STEPS = 150


@contextmanager
def tiny_llm() -> Iterator[str]:
    """Serves it; gives the address to set as llm.base_url."""
    server = WebServer(_app(), "127.0.0.1", 0)
    server.start()
    try:
        yield f"{server.url}/v1"
    finally:
        server.stop()


def _app() -> FastAPI:
    app = FastAPI()
    tokenizer = _tokenizer()
    grammar_tokenizer = llguidance.hf.from_tokenizer(tokenizer)
    model = _model(tokenizer)

    def generate(prompt: str, schema: dict[str, Any], most: int) -> list[int]:
        grammar = llguidance.LLMatcher.grammar_from_json_schema(
            _bounded(schema), defaults={"whitespace_flexible": False}
        )
        matcher = llguidance.LLMatcher(grammar_tokenizer, grammar)
        chance = torch.Generator().manual_seed(crc32(prompt.encode()))
        tokens = tokenizer(prompt)["input_ids"][-WINDOW:]
        written: list[int] = []
        while len(written) < most and not matcher.is_stopped():
            allowed = np.frombuffer(matcher.compute_bitmask(), np.uint8)
            refused = np.unpackbits(allowed, bitorder="little")[: len(tokenizer)] == 0
            with torch.no_grad():
                logits = model(torch.tensor([tokens[-WINDOW:]])).logits[0, -1]
            logits[torch.from_numpy(refused)] = -torch.inf
            token = int(torch.multinomial(torch.softmax(logits, -1), 1, generator=chance))
            matcher.consume_token(token)
            tokens.append(token)
            written.append(token)
        return [token for token in written if token != tokenizer.eos_token_id]

    @app.post("/v1/chat/completions")
    def complete(asked: dict[str, Any]) -> dict[str, Any]:
        prompt = json.dumps(asked["messages"])
        schema = asked["response_format"]["json_schema"]["schema"]
        written = generate(prompt, schema, asked["max_tokens"])
        message = {"role": "assistant", "content": tokenizer.decode(written)}
        counts = {"prompt_tokens": len(tokenizer(prompt)["input_ids"])}
        return {
            "id": "1",
            "object": "chat.completion",
            "created": 0,
            "model": asked["model"],
            "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
            "usage": counts | {"completion_tokens": len(written)},
        }

    return app


def _model(tokenizer: PreTrainedTokenizerFast) -> LlamaForCausalLM:
    torch.manual_seed(0)
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 2}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), **sizes, **heads))
    tokenizer.pad_token = END
    batch = tokenizer(_texts(), return_tensors="pt", padding=True)
    labels = batch["input_ids"].masked_fill(batch["attention_mask"] == 0, -100)
    learn = torch.optim.AdamW(model.parameters(), lr=1e-2)
    for _ in range(STEPS):
        model(**batch, labels=labels).loss.backward()
        learn.step()
        learn.zero_grad()
    return model.eval()


def _texts() -> list[str]:
    """The ads as answers."""
    ads = [json.loads(line)["text"] for line in ADS.read_text("utf-8").splitlines()]
    return [json.dumps({"text": text}, ensure_ascii=False, separators=(",", ":")) for text in ads]


def _bounded(schema: Any) -> Any:
    """A model that was never trained does not know when to stop."""
    if isinstance(schema, dict):
        more = {"string": {"maxLength": 60}, "array": {"minItems": 1, "maxItems": 1}}
        found = {key: _bounded(value) for key, value in schema.items()}
        limits = more.get(schema.get("type", ""), {}) if "enum" not in schema else {}
        return found | limits
    return schema


def _tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE that knows the words of the ads whole."""
    whole = Tokenizer(models.BPE())
    whole.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    whole.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=2000, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    whole.train_from_iterator(_texts(), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=whole, eos_token=END)
