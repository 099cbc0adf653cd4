"""Four pools of Python in one vocabulary.

run(function, argument)       one task and its result
run_all(function, arguments)  every item a task of its own; results in order
map(function, numbers)        as many items in a task as the pool thinks best
"""

import concurrent.futures
import multiprocessing
import os
import queue
import threading


def take_place(cpus):
    if cpus is not None:
        os.sched_setaffinity(0, cpus)  # of the calling thread


def run_chunk(chunk):
    function, numbers = chunk
    return [function(number) for number in numbers]


def automatic_chunk(items, workers):
    """What multiprocessing.Pool takes by itself; the others have no such default."""
    return max(1, -(-items // (4 * workers)))


def chunks_of(function, numbers, size):
    return [(function, numbers[i : i + size]) for i in range(0, len(numbers), size)]


def flat(lists):
    return [item for items in lists for item in items]


class MultiprocessingPool:
    name, processes = "python_multiprocessing_pool", True

    def __init__(self, workers, cpus=None, start="fork"):
        context = multiprocessing.get_context(start)
        self.pool = context.Pool(workers, initializer=take_place, initargs=(cpus,))

    def run(self, function, argument):
        return self.pool.apply(function, (argument,))

    def run_all(self, function, arguments):
        return self.pool.map(function, arguments, chunksize=1)

    def map(self, function, numbers):
        return self.pool.map(function, numbers)

    def close(self):
        self.pool.close()
        self.pool.join()


class ProcessPoolExecutor:
    name, processes = "python_process_pool_executor", True

    def __init__(self, workers, cpus=None, start="fork"):
        self.workers = workers
        context = multiprocessing.get_context(start)
        self.pool = concurrent.futures.ProcessPoolExecutor(
            workers, mp_context=context, initializer=take_place, initargs=(cpus,)
        )

    def run(self, function, argument):
        return self.pool.submit(function, argument).result()

    def run_all(self, function, arguments):
        return list(self.pool.map(function, arguments, chunksize=1))

    def map(self, function, numbers):
        chunk = automatic_chunk(len(numbers), self.workers)
        return list(self.pool.map(function, numbers, chunksize=chunk))

    def close(self):
        self.pool.shutdown(wait=True)


class ThreadPoolExecutor:
    name, processes = "python_thread_pool_executor", False

    def __init__(self, workers, cpus=None, start=None):
        self.workers = workers
        self.pool = concurrent.futures.ThreadPoolExecutor(
            workers, initializer=take_place, initargs=(cpus,)
        )

    def run(self, function, argument):
        return self.pool.submit(function, argument).result()

    def run_all(self, function, arguments):
        return list(self.pool.map(function, arguments))

    def map(self, function, numbers):
        size = automatic_chunk(len(numbers), self.workers)
        return flat(self.pool.map(run_chunk, chunks_of(function, numbers, size)))

    def close(self):
        self.pool.shutdown(wait=True)


class Threading:
    """What one writes by hand: threads that take tasks from one queue and answer into another."""

    name, processes = "python_threading", False

    def __init__(self, workers, cpus=None, start=None):
        self.tasks, self.answers = queue.SimpleQueue(), queue.SimpleQueue()
        self.threads = [threading.Thread(target=self.serve, args=(cpus,)) for _ in range(workers)]
        for thread in self.threads:
            thread.start()

    def serve(self, cpus):
        take_place(cpus)
        while (task := self.tasks.get()) is not None:
            place, function, argument = task
            self.answers.put((place, function(argument)))

    def run(self, function, argument):
        return self.run_all(function, [argument])[0]

    def run_all(self, function, arguments):
        for place, argument in enumerate(arguments):
            self.tasks.put((place, function, argument))
        results = [None] * len(arguments)
        for _ in arguments:
            place, result = self.answers.get()
            results[place] = result
        return results

    def map(self, function, numbers):
        size = automatic_chunk(len(numbers), len(self.threads))
        return flat(self.run_all(run_chunk, chunks_of(function, numbers, size)))

    def close(self):
        for _ in self.threads:
            self.tasks.put(None)
        for thread in self.threads:
            thread.join()


POOLS = [MultiprocessingPool, ProcessPoolExecutor, ThreadPoolExecutor, Threading]


class Open:
    """A pool for a `with` block, at whose end its workers are gone."""

    def __init__(self, kind, workers, **options):
        self.pool = kind(workers, **options)

    def __enter__(self):
        return self.pool

    def __exit__(self, *_):
        self.pool.close()
