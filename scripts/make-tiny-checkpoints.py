"""Writes test/vectors/tiny-models.json: what transformers computes from the tests' tiny models, and how it saves them.

Usage: PYTHON scripts/make-tiny-checkpoints.py   (needs torch, transformers, tokenizers; node in PATH)
The tests need only what this writes. Run it again when a tiny model or its tokenizer changes.
"""

import base64
import json
import pathlib
import subprocess
import tempfile

import torch
from safetensors import safe_open
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

root = pathlib.Path(__file__).resolve().parent.parent
tokens = [3, 17, 250, 9, 101, 101, 200, 44, 5, 77, 260, 31]
texts = ["Hello world", "the water in the other world", "näive €5 😀\n\ttabs  and   spaces", "<|im_start|>user\nHi<|im_end|>"]
variants = [("v5", "experts", 1, "fp32"), ("v4", "experts", 3, "bf16"), ("v5", "fused", 2, "fp16")]


def write(folder, family, variant):
    command = ["node", "scripts/make-tiny-checkpoint.ts", folder, family, *map(str, variant)]
    subprocess.run(command, cwd=root, check=True)


def names_in(folder):
    with safe_open(pathlib.Path(folder) / "model.safetensors", "pt") as file:
        return {name: file.get_slice(name).get_shape() for name in file.keys()}


def load(folder):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    return model.eval()


def logits_of(model):
    with torch.no_grad():
        logits = model(torch.tensor([tokens])).logits[0]
    return base64.b64encode(logits.to(torch.float32).numpy().tobytes()).decode()


def saved(model, folder, original):
    model.save_pretrained(folder, save_original_format=original)
    return {"config": json.loads((pathlib.Path(folder) / "config.json").read_text()), "tensors": names_in(folder)}


result = {"tokens": tokens, "families": {}}
with tempfile.TemporaryDirectory() as temporary:
    for family in ["mixtral", "olmoe", "qwen2_moe", "qwen3_moe"]:
        logits = {}
        for variant in variants:
            folder = f"{temporary}/{family}-{variant[3]}"
            write(folder, family, variant)
            model = load(folder)
            logits[variant[3]] = logits_of(model)
            if variant[3] == "fp32":
                layouts = {
                    "experts": saved(model, f"{folder}-experts", True),
                    "fused": saved(model, f"{folder}-fused", False),
                }
        result["families"][family] = {"logits": logits, "saved": layouts}
    tokenizer = Tokenizer.from_file(f"{temporary}/mixtral-fp32/tokenizer.json")
    result["texts"] = [{"text": text, "tokens": tokenizer.encode(text).ids} for text in texts]
(root / "test/vectors/tiny-models.json").write_text(json.dumps(result, separators=(",", ":"), ensure_ascii=False) + "\n")
