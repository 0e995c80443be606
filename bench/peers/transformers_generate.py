# Greedy answers by Hugging Face transformers on the CPU, for bench/peers: one JSON line with tokens per second.
# usage: transformers_generate.py FOLDER THREADS BATCH PROMPT_TOKENS NEW_TOKENS RUNS
import json, sys, time

import torch
from transformers import AutoModelForCausalLM

folder = sys.argv[1]
threads, batch, prompt_tokens, new_tokens, runs = map(int, sys.argv[2:])
torch.set_num_threads(threads)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
prompt = (torch.arange(batch * prompt_tokens).reshape(batch, prompt_tokens) * 7919) % model.config.vocab_size

rates, first = [], None
with torch.no_grad():
    for run in range(runs + 1):
        started = time.perf_counter()
        made = []
        out = model(prompt, use_cache=True)
        for step in range(new_tokens):
            token = out.logits[:, -1].argmax(-1, keepdim=True)
            made.append(token)
            if step + 1 < new_tokens:
                out = model(token, past_key_values=out.past_key_values, use_cache=True)
        elapsed = time.perf_counter() - started
        first = torch.cat(made, 1)[0].tolist()
        if run > 0:
            rates.append(batch * new_tokens / elapsed)
print(json.dumps({"tokensPerSecond": rates, "firstAnswer": first}))
