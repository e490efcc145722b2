"""The same work in agent-coherence, and the ratios to the times in the JSON file given."""

import importlib.metadata
import json
import statistics
import sys
import time

from ccs.agent.runtime import AgentRuntime
from ccs.coordinator.registry import ArtifactRegistry
from ccs.coordinator.service import CoordinatorService
from ccs.core.hashing import compute_content_hash
from ccs.core.types import Artifact
from ccs.simulation.engine import SimulationEngine
from ccs.strategies.selector import build_strategy
from uuid import UUID

SCENARIOS = [(0.05, 20260305), (0.10, 20260306), (0.25, 20260307), (0.50, 20260308)]
RATIO_MIN = 100
# Row, what it is, and whether the bar stands for it.
ROWS = [
    ("eighty_runs", "the 80 canonical simulation runs", True),
    ("read_hit", "read of a valid copy of 16 KiB", True),
    ("write_16_b", "claim and commit of 16 bytes", True),
    ("write_16_kib", "claim and commit of 16 KiB", False),
    ("framed_16_b", "commit of 16 bytes, agent to home and back", False),
    ("framed_16_kib", "commit of 16 KiB, agent to home and back", False),
    ("hash_16_kib", "the hash of 16 KiB alone", False),
]
NOTES = """
Python: AgentRuntime and CoordinatorService in one process. A read of a copy encodes and hashes it (SHA-256) each time;
a write acquires, commits, hashes the content twice, and keeps a reference to it on both sides, in memory.
lrrc: a read of a copy hands out a reference; its bytes were compared with their digest when they came. Claim and commit
run the same protocol steps, hash the content once (BLAKE3), and keep a reference on both sides. Agent to home and back is
a store in memory: the frames as values, one conditional write of ledger and content, the feed, the agent's shelf.
A write that names its content by its hash cannot be faster than the hash: the last row bounds the rows of 16 KiB.
"""


def scenario(write_probability):
    return {
        "simulation": {"duration_ticks": 40, "num_agents": 4, "seed": 0},
        "network": {"latency_ticks": 1, "message_loss_rate": 0.0},
        "scenario": {
            "name": "canonical",
            "workload": "custom",
            "action_probability": 0.75,
            "write_probability": write_probability,
        },
        "artifacts": [{"id": name, "size_tokens": 4096} for name in ("plan", "design", "state")],
        "strategies": {},
        "transient": {"timeout_ticks": 5},
        "context_semantics": {"model": "conditional_injection"},
    }


def eighty_runs():
    for write_probability, first in SCENARIOS:
        for seed in range(first, first + 10):
            for strategy in ("lazy", "broadcast"):
                SimulationEngine(scenario(write_probability), strategy_name=strategy, seed=seed).run()


def pair():
    registry = ArtifactRegistry()
    service = CoordinatorService(registry)
    artifact = Artifact(name="plan", version=1, size_tokens=4096)
    registry.register_artifact(artifact, content="x" * 16384)
    agents = [
        AgentRuntime(agent_id=UUID(int=i + 1), coordinator=service, strategy=build_strategy("lazy")) for i in range(2)
    ]
    return artifact.id, agents


def read_hits(count):
    artifact, (agent, _) = pair()
    agent.read(artifact, now_tick=0)
    start = time.perf_counter()
    for _ in range(count):
        agent.read(artifact, now_tick=0)
    return (time.perf_counter() - start) / count


def writes(count, size):
    artifact, (agent, _) = pair()
    contents = ["x" * (size - 4) + f"{at:04}" for at in range(8)]
    agent.write(artifact, content=contents[0], now_tick=0)
    start = time.perf_counter()
    for at in range(count):
        agent.write(artifact, content=contents[at % 8], now_tick=0)
    return (time.perf_counter() - start) / count


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def hashes(content, count=5_000):
    start = time.perf_counter()
    for _ in range(count):
        compute_content_hash(content)
    return (time.perf_counter() - start) / count


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rust = json.load(file)
    eighty_runs()
    short = statistics.median(writes(5_000, 16) for _ in range(5))
    long = statistics.median(writes(5_000, 16_384) for _ in range(5))
    python = {
        "eighty_runs": statistics.median(timed(eighty_runs) for _ in range(5)),
        "read_hit": statistics.median(read_hits(20_000) for _ in range(5)),
        "write_16_b": short,
        "write_16_kib": long,
        "framed_16_b": short,
        "framed_16_kib": long,
        "hash_16_kib": statistics.median(hashes("x" * 16_384) for _ in range(5)),
    }
    version = importlib.metadata.version("agent-coherence")
    print(f"Medians, in microseconds; agent-coherence {version} on Python {sys.version.split()[0]}\n")
    print("| operation | agent-coherence | lrrc | ratio | bar | |\n|---|---|---|---|---|---|")
    low = []
    for name, what, barred in ROWS:
        theirs, ours = python[name] * 1e6, rust[name] / 1000
        verdict = ""
        if barred:
            verdict = "reached" if theirs / ours >= RATIO_MIN else "missed"
            low += [name] * (verdict == "missed")
        bar = f"≥ {RATIO_MIN}" if barred else ""
        print(f"| {what} | {theirs:.2f} | {ours:.3f} | {theirs / ours:.0f} | {bar} | {verdict} |")
    print(NOTES)
    if low:
        sys.exit(f"below {RATIO_MIN} times: {', '.join(low)}")


main()
