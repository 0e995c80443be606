"""Trains the Qwen3-MoE model of test/vectors/tiny-trained on this repository's own texts, byte by byte.

python scripts/train-tiny-model.py FOLDER [STEPS]   (needs torch and transformers; the product and its tests do not)
"""

import glob
import json
import math
import os
import sys

import torch
from safetensors.torch import save_file
from transformers import Qwen3MoeConfig, Qwen3MoeForCausalLM

folder, steps = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2400
held_out_bytes, batch, length = 6144, 8, 128
torch.manual_seed(5)
torch.set_num_threads(1)

root = os.path.join(os.path.dirname(__file__), "..")
names = sorted(glob.glob(f"{root}/docs/*.md") + glob.glob(f"{root}/src/**/*.ts", recursive=True))
texts = {name: open(name, "rb").read() for name in names if not name.endswith("errors.md")}
operators = next(name for name in texts if name.endswith("operators.md"))
cut = texts[operators].index(b"\n\n", len(texts[operators]) // 2) + 2
held_out = texts[operators][cut : cut + held_out_bytes]
texts[operators] = texts[operators][:cut] + texts[operators][cut + held_out_bytes :]
# Prose eight times: it is what the model is judged by.
data = torch.tensor(list(b"".join(text * (8 if name.endswith(".md") else 1) for name, text in texts.items())))

special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
config = Qwen3MoeConfig(
    vocab_size=256 + len(special), hidden_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    head_dim=16, num_experts=8, num_experts_per_tok=2, moe_intermediate_size=64, intermediate_size=64,
    norm_topk_prob=True, max_position_embeddings=256, rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
    tie_word_embeddings=False, output_router_logits=True, router_aux_loss_coef=0.01,
    bos_token_id=256, eos_token_id=258,
)
model = Qwen3MoeForCausalLM(config)
with torch.no_grad():
    model.model.embed_tokens.weight.mul_(25)
optimiser = torch.optim.AdamW(model.parameters(), lr=4e-3, betas=(0.9, 0.98), weight_decay=0.05)
for step in range(steps):
    share = min(1, (step + 1) / 100) * (0.05 + 0.95 * (0.5 + 0.5 * math.cos(math.pi * step / steps)))
    for group in optimiser.param_groups:
        group["lr"] = 4e-3 * share
    starts = torch.randint(len(data) - length, (batch,))
    rows = torch.stack([data[start : start + length] for start in starts])
    loss = model(rows, labels=rows).loss
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1)
    optimiser.step()
    if step % 20 == 0:
        print(step, round(loss.item(), 3), flush=True)

model = model.to(torch.bfloat16)
os.makedirs(folder, exist_ok=True)
# transformers 5 joins the experts of a layer; published files have them one by one.
tensors = {}
for name, tensor in model.state_dict().items():
    if name.endswith("experts.gate_up_proj"):
        gates, ups = tensor.chunk(2, dim=1)
        for i in range(config.num_experts):
            tensors[name.replace("gate_up_proj", f"{i}.gate_proj.weight")] = gates[i].contiguous()
            tensors[name.replace("gate_up_proj", f"{i}.up_proj.weight")] = ups[i].contiguous()
    elif name.endswith("experts.down_proj"):
        for i in range(config.num_experts):
            tensors[name.replace("down_proj", f"{i}.down_proj.weight")] = tensor[i].contiguous()
    else:
        tensors[name] = tensor.contiguous()
save_file(tensors, f"{folder}/model.safetensors", metadata={"format": "pt"})


def write(name, value):
    with open(f"{folder}/{name}", "w", encoding="utf-8") as file:
        json.dump(value, file, ensure_ascii=False, indent=1)
        file.write("\n")


printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
others = [byte for byte in range(256) if byte not in printable]
characters = [chr(byte) if byte in printable else chr(256 + others.index(byte)) for byte in range(256)]
byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
write("tokenizer.json", {
    "version": "1.0", "truncation": None, "padding": None,
    "added_tokens": [
        {"id": 256 + i, "content": text, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
        for i, text in enumerate(special)
    ],
    "normalizer": None, "pre_tokenizer": byte_level, "post_processor": byte_level, "decoder": byte_level,
    "model": {
        "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None, "end_of_word_suffix": None,
        "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
        "vocab": {character: byte for byte, character in enumerate(characters)}, "merges": [],
    },
})
template = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
write("tokenizer_config.json", {"eos_token": "<|im_end|>", "chat_template": template, "tokenizer_class": "PreTrainedTokenizerFast"})
write("generation_config.json", {"eos_token_id": [256, 258]})
plain = json.loads(config.to_json_string(use_diff=False))
wanted = (
    "architectures model_type vocab_size hidden_size num_hidden_layers num_attention_heads num_key_value_heads head_dim "
    "num_experts_per_tok moe_intermediate_size intermediate_size norm_topk_prob max_position_embeddings rope_parameters "
    "tie_word_embeddings rms_norm_eps hidden_act attention_bias decoder_sparse_step mlp_only_layers bos_token_id eos_token_id"
).split()
config_file = {name: plain[name] for name in wanted if name in plain}
write("config.json", {
    **config_file, "architectures": ["Qwen3MoeForCausalLM"], "model_type": "qwen3_moe", "num_experts": 8, "dtype": "bfloat16"
})

with open(f"{folder}/text.txt", "wb") as file:
    file.write(held_out)
# Read again rather than converted back: a conversion rounds the rotary angles, too.
model = Qwen3MoeForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
ids = torch.tensor([list(held_out)])
with torch.no_grad():
    sums, scored = 0.0, 0
    for start in range(0, ids.shape[1], 256):
        window = ids[:, start : start + 256]
        logits = model(window).logits[0, :-1]
        sums += torch.nn.functional.cross_entropy(logits, window[0, 1:], reduction="sum").item()
        scored += window.shape[1] - 1
    first = model(ids[:, :16]).logits[0]
write("expected.json", {
    "lossNatsPerToken": round(sums / scored, 6),
    "windowTokens": 256,
    "logitsOfTheFirst16": [[round(value, 5) for value in row] for row in first.tolist()],
})
print("held out", sums / scored)
