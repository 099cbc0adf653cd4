#!/usr/bin/python3
"""Python's pools at the tasks of ours: the same rows, so that they stand in the same tables.

multiprocessing.Pool, ProcessPoolExecutor, ThreadPoolExecutor, and threading with a queue.
Processes are forked, which is Python's cheapest way, except where a row is about the start.
"""

import concurrent.futures
import multiprocessing
import os
import random
import signal
import sys
import threading
import time
from concurrent.futures.process import BrokenProcessPool

sys.dont_write_bytecode = True  # beside this file, which may be in somebody's checkout

from python.command_line import run
from python.measure import Measured, Placement, Wrong, measure, measure_rounds, percentile
from python.pools import POOLS, Open, ProcessPoolExecutor, take_place

MIB = 1 << 20

# ---- tasks: what a worker calls. It finds them by name, so they are functions of the module


def empty(number):
    return number


def echo(payload):
    return payload


def following(number):
    return number + 1


# About 20 us, as the task of this name in pool_map.cpp; as many steps as that takes in Python.
STEPS, KINDS, MASK = 72, 16, (1 << 64) - 1


def xorshift_20us(number):
    state = number % KINDS + 1
    for _ in range(STEPS):
        state ^= state << 13 & MASK
        state ^= state >> 7
        state ^= state << 17 & MASK
    return state


def sleep_1ms(number):
    time.sleep(0.001)
    return number


def busy(seconds, begun):
    os.write(begun, b"x")
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


def who_works(_):
    time.sleep(0.001)
    return os.getpid(), threading.get_native_id()


def cpu_ns_of_process(_):
    return time.process_time_ns()


# ---- scenarios: each gives rows, (name, function of the settings that measures)


def pool_map(settings, kind, task, chunk, workers):
    known = [task(number) for number in range(KINDS)]
    numbers = []

    def do_round(count):
        if len(numbers) != count * workers:
            numbers[:] = range(count * workers)
        return pool.run_all(task, numbers) if chunk == "1" else pool.map(task, numbers)

    def check(count, results):
        expected = [known[n % KINDS] for n in numbers] if task is xorshift_20us else numbers
        if results != expected:
            raise Wrong("a task has a wrong result")

    with Open(kind, workers) as pool:
        measured = measure_rounds(settings, workers, do_round, check)
    rate = measured.operations / measured.nanoseconds * 1e9
    measured.counters["tasks_per_second"] = rate
    if task is xorshift_20us:
        measured.counters["steps_per_second"] = rate * STEPS
    return measured


def pool_map_rows(settings):
    for kind in POOLS:
        for task in (empty, xorshift_20us, sleep_1ms):
            for chunk in ("1", "auto") if task is empty else ("1",):
                for workers in (1, 2, 4, 8):
                    keys = f"pool:{kind.name}/task:{task.__name__}/chunk:{chunk}/workers:{workers}"
                    yield f"pool_map/{keys}", (pool_map, kind, task, chunk, workers)


def pool_dispatch(settings, kind, cpus):
    placement = Placement()
    caller, worker = placement.of(cpus)
    tasks = 0

    def dispatch():
        nonlocal tasks
        tasks += 1
        return pool.run(following, tasks)

    def check(result):
        if result != tasks + 1:
            raise Wrong("a task has a wrong result")

    def cpu_ns():
        workers = pool.run(cpu_ns_of_process, None) if kind.processes else 0
        return workers + time.process_time_ns()

    take_place(caller)  # the pool's own threads too
    try:
        with Open(kind, 1, cpus=worker) as pool:
            before = cpu_ns()
            measured = measure(settings, dispatch, check)
            measured.counters["cpu_ns_per_task"] = (cpu_ns() - before) / tasks
    finally:
        take_place(placement.allowed)
    return measured


def pool_dispatch_rows(settings):
    for kind in POOLS:
        for cpus in ("same", "cross", "any"):
            if cpus == "cross" and Placement().other is None:
                continue
            if cpus == "any" and settings.size == "quick":
                continue
            yield f"pool_dispatch/pool:{kind.name}/cpus:{cpus}", (pool_dispatch, kind, cpus)


def kill_worker(kind, moment, patience):
    """Kills the only worker at work; how long until the caller knew, None when it is never told."""
    begun, tells = os.pipe()  # inherited: the task says that it runs, and the worker holds no lock
    pool = kind(1)
    worker = pool.run(who_works, None)[0]
    executor = kind is ProcessPoolExecutor
    # multiprocessing.Pool has no answer for such a task, so there has to be a deadline.
    submit = pool.pool.submit if executor else lambda f, *args: pool.pool.apply_async(f, args)
    answer = submit(busy, 60, tells)
    os.read(begun, 1)
    time.sleep(moment)
    killed_at = time.perf_counter_ns()
    os.kill(worker, signal.SIGKILL)
    try:
        answer.result(patience) if executor else answer.get(patience)
    except BrokenProcessPool:
        return time.perf_counter_ns() - killed_at
    except (multiprocessing.TimeoutError, concurrent.futures.TimeoutError):
        return None
    finally:
        pool.close() if executor else pool.pool.terminate()
        os.close(begun)
        os.close(tells)
    raise Wrong("the task of a killed worker has a result")


def pool_death(settings, kind):
    patience = 2.0 if settings.size == "full" else 0.15
    rounds = {"smoke": 2, "quick": 20, "full": 300}[settings.size]
    dice = random.Random(20250105)
    known = []
    for _ in range(rounds):
        after = kill_worker(kind, dice.random() / 1000, patience)
        if after is None:
            return Measured(1, patience * 1e9, {"patience_ns": patience * 1e9}, "not told")
        known.append(after)
    known.sort()
    shares = {"p50": 0.5, "p99": 0.99, "max": 1}
    counters = {f"known_ns_{name}": percentile(known, share) for name, share in shares.items()}
    counters["rounds"] = rounds
    return Measured(rounds, sum(known), counters, "told, and the pool is broken")


def pool_death_rows(_):
    for kind in POOLS:
        if kind.processes:
            yield f"pool_death/pool:{kind.name}", (pool_death, kind)


def memory_of(process):
    """PSS and private bytes, proc_pid_smaps(5)."""
    pss = private = 0
    with open(f"/proc/{process}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pss:"):
                pss = 1024 * int(line.split()[1])
            elif line.startswith("Private_"):
                private += 1024 * int(line.split()[1])
    return pss, private


def memory(_, kind, workers):
    before = memory_of("self")
    start = time.perf_counter_ns()
    with Open(kind, workers) as pool:
        seen = {}
        while len(seen) < workers:
            for process, thread in pool.run_all(who_works, range(workers)):
                seen[thread] = process
        took = time.perf_counter_ns() - start
        if kind.processes:
            sums = [sum(part) for part in zip(*map(memory_of, seen.values()))]
        else:
            sums = [after - part for after, part in zip(memory_of("self"), before)]
    names = ("pss_bytes_per_worker", "private_bytes_per_worker")
    return Measured(workers, took, {n: max(0, s / workers) for n, s in zip(names, sums)})


def memory_rows(_):
    for kind in POOLS:
        yield f"memory/pool:{kind.name}/workers:4", (memory, kind, 4)


def lifecycle(settings, kind, start, mib):
    """Two workers up, one task, and down again, in a process that has touched so much memory."""
    held = bytearray(mib * MIB)
    held[::4096] = b"\1" * len(held[::4096])  # every page is there

    def live_and_die():
        with Open(kind, 2, start=start) as pool:
            if pool.run(following, 1) != 2:
                raise Wrong("a task has a wrong result")

    return measure(settings, live_and_die)


def lifecycle_rows(settings):
    starts = ("fork",) if settings.size == "quick" else ("fork", "forkserver", "spawn")
    for parent, mib in (("small", 0), ("256_MiB", 256)):
        for kind in POOLS:
            for start in starts if kind.processes else (None,):
                keys = f"pool:{kind.name}" + (f"/start:{start}" if start else "")
                yield f"lifecycle/{keys}/parent:{parent}", (lifecycle, kind, start, mib)


def pool_echo(settings, kind, size):
    """A task that gives back what it gets. Between threads nothing is copied: it is a reference."""
    payload = random.Random(size).randbytes(size)

    def check(answer):
        if answer != payload:
            raise Wrong("other bytes came back than were sent")

    with Open(kind, 1) as pool:
        measured = measure(settings, lambda: pool.run(echo, payload), check)
    measured.counters["bytes_per_second"] = size * measured.operations / measured.nanoseconds * 1e9
    return measured


def pool_echo_rows(_):
    for kind in POOLS:
        for size in (MIB, 16 * MIB):
            yield f"pool_echo/pool:{kind.name}/payload:bytes/bytes:{size}", (pool_echo, kind, size)


SCENARIOS = [
    pool_map_rows,
    pool_dispatch_rows,
    pool_death_rows,
    memory_rows,
    lifecycle_rows,
    pool_echo_rows,
]


if __name__ == "__main__":
    sys.exit(run(SCENARIOS, __doc__.splitlines()[0]))
