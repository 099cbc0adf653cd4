"""Timing loops, percentiles and places, as in measure.hpp, samples.hpp and placement.hpp."""

import math
import os
import time


class Wrong(Exception):
    """A result that is not the one the task has."""


class Settings:
    # A round of Python's needs longer than one of ours before its start and end do not show.
    SECONDS = {"smoke": 0.002, "quick": 0.05, "full": 0.3}

    def __init__(self, size, seconds):
        self.size = size
        self.seconds = seconds or self.SECONDS[size]


class Measured:
    def __init__(self, operations, nanoseconds, counters, label=""):
        self.operations, self.nanoseconds = operations, nanoseconds
        self.counters, self.label = counters, label


def percentile(ordered, share):
    """The smallest sample that is not below `share` of them (nearest rank)."""
    exact = share * len(ordered)
    return ordered[min(max(math.ceil(exact - 1e-9 * exact), 1), len(ordered)) - 1]


def latency_counters(samples):
    ordered = sorted(samples)
    shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999, "max": 1}
    counters = {f"latency_ns_{name}": percentile(ordered, share) for name, share in shares.items()}
    return {**counters, "samples": len(samples), "batch": 1}


def measure(settings, operation, check=lambda result: None):
    """Times operations one by one for the row's time, after a quarter of it to warm up.

    check(result) looks at what an operation gave when its clock has stopped.
    """
    clock = time.perf_counter_ns
    samples = []
    for wanted in (settings.seconds * 1e9 / 4, settings.seconds * 1e9):
        samples.clear()
        total = 0
        while total < wanted:
            start = clock()
            result = operation()
            took = clock() - start
            check(result)
            samples.append(took)
            total += took
    return Measured(len(samples), total, latency_counters(samples))


def measure_rounds(settings, each, do_round, check):
    """Rounds that are long enough; do_round(count) does count * each operations."""

    def time_round(count):
        start = time.perf_counter_ns()
        results = do_round(count)
        took = time.perf_counter_ns() - start
        check(count, results)
        return took

    wanted = settings.seconds * 1e9
    long_enough = min(wanted / 4, 50e6)
    count = 4
    while time_round(count) < long_enough or time_round(count) < long_enough:
        count *= 2
    total = rounds = 0
    while total < wanted:
        total += time_round(count)
        rounds += 1
    counters = {"samples": rounds, "batch": count * each}
    return Measured(rounds * count * each, total, counters)


class Placement:
    """As placement.hpp: the CPUs of the two sides."""

    def __init__(self):
        self.allowed = sorted(os.sched_getaffinity(0))
        first = self.core(self.allowed[0])
        others = [cpu for cpu in self.allowed[1:] if self.core(cpu) != first] or self.allowed[1:]
        self.other = others[0] if others else None

    @staticmethod
    def core(cpu):
        try:
            path = f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list"
            with open(path, encoding="ascii") as file:
                return file.read()
        except OSError:
            return str(cpu)

    def of(self, cpus):
        """Where the caller and the worker run."""
        first = {self.allowed[0]}
        return {"same": (first, first), "cross": (first, {self.other})}.get(
            cpus, (set(self.allowed), set(self.allowed))
        )

    def text(self):
        first = self.allowed[0]
        cross = f"; cross: {first}, {self.other}" if self.other is not None else ""
        many = f"{len(self.allowed)} CPU{'' if len(self.allowed) == 1 else 's'}"
        return f"same: {first}{cross}; any: {many}"
