# One SwiGLU expert on a hivemind server, asked over its own protocol from another process, for bench/peers.
# usage: hivemind_expert.py THREADS WIDTH EXPERT_WIDTH ROWS CALLS
import json, sys, time

import torch
import hivemind
from hivemind.moe import Server
from hivemind.moe.client import RemoteExpert
from hivemind.moe.client.expert import create_remote_experts
from hivemind.moe.server.layers import register_expert_class

threads, width, expert_width, rows, calls = map(int, sys.argv[1:])
torch.set_num_threads(threads)


class SwiGlu(torch.nn.Module):
    def __init__(self, hid_dim):
        super().__init__()
        self.gate = torch.nn.Linear(hid_dim, expert_width, bias=False)
        self.up = torch.nn.Linear(hid_dim, expert_width, bias=False)
        self.down = torch.nn.Linear(expert_width, hid_dim, bias=False)

    def forward(self, x):
        return self.down(torch.nn.functional.silu(self.gate(x)) * self.up(x))


register_expert_class("swiglu", lambda batch_size, hid_dim: torch.empty((batch_size, hid_dim)))(SwiGlu)

if __name__ == "__main__":
    server = Server.create(
        expert_cls="swiglu", expert_uids=["bench.0"], hidden_dim=width, max_batch_size=16384,
        device="cpu", start=True, optim_cls=None)
    try:
        dht = hivemind.DHT(initial_peers=[str(a) for a in server.dht.get_visible_maddrs()], start=True)
        (expert,) = hivemind.moe.get_experts(dht, ["bench.0"])
        while expert is None:
            time.sleep(0.2)
            (expert,) = hivemind.moe.get_experts(dht, ["bench.0"])
        x = torch.randn(rows, width)
        latencies = []
        with torch.no_grad():
            for call in range(calls + 10):
                started = time.perf_counter()
                expert(x)
                if call >= 10:
                    latencies.append((time.perf_counter() - started) * 1000)
        print(json.dumps({"latenciesMs": latencies}), flush=True)
    finally:
        server.shutdown()
