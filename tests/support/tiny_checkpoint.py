"""Pretrained models of random weights, made on the spot: small, whole, and without a hub.

python tests/tiny_checkpoint.py encoder|decoder FOLDER
"""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 128,
    "initializer_range": 0.2,
}
SPECIAL = ["[PAD]", "[EOS]"]


def make_encoder(folder: Path, words: Iterable[str] = ()) -> Path:
    """A BERT, whose tokenizer pads."""
    tokenizer = _tokenizer(words, pad_token="[PAD]", eos_token="[EOS]")
    config = transformers.BertConfig(vocab_size=len(tokenizer), **SIZE)
    return _save(transformers.BertModel, config, tokenizer, folder)


def make_decoder(folder: Path, words: Iterable[str] = ()) -> Path:
    """A Llama, whose tokenizer has no token to pad with, as those of most decoders."""
    tokenizer = _tokenizer(words, eos_token="[EOS]")
    config = transformers.LlamaConfig(vocab_size=len(tokenizer), num_key_value_heads=1, **SIZE)
    return _save(transformers.LlamaForCausalLM, config, tokenizer, folder)


def _tokenizer(words: Iterable[str], **special: str) -> Any:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel()
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=SPECIAL,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(words, trainer)
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=SIZE["max_position_embeddings"], **special
    )


def _save(kind: Any, config: Any, tokenizer: Any, folder: Path) -> Path:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        kind(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


if __name__ == "__main__":
    {"encoder": make_encoder, "decoder": make_decoder}[sys.argv[1]](Path(sys.argv[2]))
