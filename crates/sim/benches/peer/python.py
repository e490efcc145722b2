"""The same work in agent-coherence, and the ratios to the times in the JSON file given."""

import importlib.metadata
import json
import statistics
import sys
import time

from ccs.agent.runtime import AgentRuntime
from ccs.coordinator.registry import ArtifactRegistry
from ccs.coordinator.service import CoordinatorService
from ccs.core.types import Artifact
from ccs.simulation.engine import SimulationEngine
from ccs.strategies.selector import build_strategy
from uuid import UUID

SCENARIOS = [(0.05, 20260305), (0.10, 20260306), (0.25, 20260307), (0.50, 20260308)]
RATIO_MIN = 100
# The bar stands for the protocol. A write of 16 KiB is mostly its hash and its frames: it is shown, without a bar.
UNBARRED = {"write_16_kib"}


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


def main():
    with open(sys.argv[1], encoding="utf-8") as file:
        rust = json.load(file)
    eighty_runs()
    python = {
        "eighty_runs": statistics.median(timed(eighty_runs) for _ in range(5)),
        "read_hit": statistics.median(read_hits(20_000) for _ in range(5)),
        "write": statistics.median(writes(5_000, 16) for _ in range(5)),
        "write_16_kib": statistics.median(writes(5_000, 16_384) for _ in range(5)),
    }
    version = importlib.metadata.version("agent-coherence")
    print(f"medians, in microseconds; agent-coherence {version} on Python {sys.version.split()[0]}")
    low = []
    for name, seconds in python.items():
        if name not in rust:
            continue
        ours = rust[name] / 1000
        ratio = seconds * 1e6 / ours
        print(f"  {name:12} python {seconds * 1e6:12.2f}   lrrc {ours:10.3f}   ratio {ratio:8.0f}")
        if ratio < RATIO_MIN and name not in UNBARRED:
            low.append(name)
    if low:
        sys.exit(f"below {RATIO_MIN} times: {', '.join(low)}")


main()
