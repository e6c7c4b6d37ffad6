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


def make_multimodal(folder: Path, words: Iterable[str] = ()) -> Path:
    """A Gemma 3 for text and images: the sizes of its text part stand in a config of its own."""
    tokenizer = _tokenizer(words, eos_token="[EOS]")
    text = SIZE | {"num_key_value_heads": 1, "head_dim": 16, "sliding_window": 32}
    image = {"hidden_size": 16, "intermediate_size": 32, "image_size": 28, "patch_size": 14}
    config = transformers.Gemma3Config(
        text_config={"vocab_size": len(tokenizer), **text},
        vision_config={"num_hidden_layers": 1, "num_attention_heads": 2, **image},
        mm_tokens_per_image=4,
        image_token_index=3,
        boi_token_index=4,
        eoi_token_index=5,
    )
    return _save(transformers.Gemma3ForConditionalGeneration, config, tokenizer, folder)


def make_two_towers(folder: Path, words: Iterable[str] = ()) -> Path:
    """A CLIP: a text part and an image part side by side."""
    tokenizer = _tokenizer(words, pad_token="[PAD]", eos_token="[EOS]")
    sizes = {name: SIZE[name] for name in SIZE if name.startswith("num_")}
    sizes |= {"hidden_size": 32, "intermediate_size": 64}
    special = {"bos_token_id": 1, "eos_token_id": 1, "pad_token_id": 0}
    config = transformers.CLIPConfig(
        text_config={"vocab_size": len(tokenizer), **sizes, **special},
        vision_config={"image_size": 28, "patch_size": 14, **sizes},
        projection_dim=16,
    )
    return _save(transformers.CLIPModel, config, tokenizer, folder)


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
