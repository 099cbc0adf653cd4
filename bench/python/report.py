"""The report, Google Benchmark's JSON, and the watchdog over the process that writes it."""

import datetime
import errno
import json
import os
import platform
import signal
import sys
import time
import traceback

from python.measure import Placement

USAGE, FAILED, NO_OUTPUT, INTERRUPTED = 2, 4, 5, 130  # exit codes, as of the other binaries



class Report:
    def __init__(self, settings, as_json, out):
        self.files = ([sys.stdout] if as_json else []) + ([out] if out else [])
        self.console = not as_json
        self.separator = "\n"
        context = {
            "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
            "executable": sys.argv[0],
            "num_cpus": os.cpu_count(),
            "optimised": "yes",
            "placement": Placement().text(),
            "python": platform.python_version(),
            "size": settings.size,
        }
        text = json.dumps({"context": context}, indent=2)
        self.write(text[: text.rindex("\n}")] + ',\n  "benchmarks": [')

    def write(self, text):
        for file in self.files:
            file.write(text)
            file.flush()

    def row(self, name, entry):
        row = {"name": name, "run_name": name, "run_type": "iteration", "repetitions": 1}
        text = json.dumps({**row, "threads": 1, **entry}, indent=2).replace("\n", "\n    ")
        self.write(f"{self.separator}    {text}")
        self.separator = ",\n"
        if self.console:
            shown = entry.get("error_message") or f"{entry['real_time']:.0f} ns"
            print(f"{name} {shown}", flush=True)

    def end(self):
        self.write("\n  ]\n}\n")


def entry_of(measured):
    nanoseconds = measured.nanoseconds / measured.operations
    times = {"real_time": nanoseconds, "cpu_time": nanoseconds, "time_unit": "ns"}
    label = measured.label or f"Python {platform.python_version()}"
    return {"iterations": measured.operations, **times, **measured.counters, "label": label}


def measure_rows(rows, settings, report, progress):
    """Measures all rows; returns the exit code. Each row is announced in `progress`."""
    failures = 0
    for name, (take, *arguments) in rows:
        os.write(progress, f"{name}\n".encode())
        try:
            entry = entry_of(take(settings, *arguments))
        except Exception as error:  # whatever it is, it is the row's
            failures += 1
            message = f"{type(error).__name__}: {error}"
            entry = {"error_occurred": True, "error_message": message, "iterations": 0}
            entry |= {"real_time": 0, "cpu_time": 0, "time_unit": "ns"}
        report.row(name, entry)
    os.write(progress, b"\n")
    report.end()
    if failures:
        print(f"{failures} rows failed", file=sys.stderr)
    return FAILED if failures else 0


# ---- the watchdog, as watchdog.hpp: measures in a process group of which nobody is left


def watch(patience, work):
    """Runs work(progress) in a child and returns the exit code."""
    ends = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ends | {signal.SIGCHLD})
    progress, told = os.pipe()
    lifeline, held = os.pipe()
    os.set_blocking(progress, False)
    child = os.fork()
    if child == 0:
        join_group(0, 0)
        for fd in (progress, lifeline, held):
            os.close(fd)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        code = FAILED
        try:
            code = work(told)
            sys.stdout.flush()
        except Exception:  # nobody above us would say so
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(told)
    join_group(child, child)
    guard = os.fork()
    if guard == 0:  # ends the group when this process is killed: only we hold the lifeline
        join_group(0, child)
        os.close(held)
        os.read(lifeline, 1)
        os.killpg(0, signal.SIGKILL)
    join_group(guard, child)  # from now on the group's number is not given to another
    return await_end(child, guard, progress, patience, ends)


def join_group(process, group):
    """Parent and child both do it, whoever comes first: then it is done for both."""
    try:
        os.setpgid(process, group)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ESRCH):  # has ended, or was killed
            raise


def await_end(child, guard, progress, patience, ends):
    row, moved, ended = "", time.monotonic(), 0

    def end_group():
        os.killpg(child, signal.SIGKILL)
        os.waitpid(guard, 0)
        if not ended:
            os.waitpid(child, 0)

    def broke(how):
        print(f"{how} in row {row}" if row else f"{how} between two rows", file=sys.stderr)
        if row:
            print(f"broken row: {row}", file=sys.stderr)
        return FAILED

    while True:
        got = signal.sigtimedwait(ends | {signal.SIGCHLD}, 1)
        try:
            if text := os.read(progress, 1 << 16).decode():
                row, moved = text.splitlines()[-1], time.monotonic()
        except BlockingIOError:
            pass
        if got is not None and got.si_signo in ends:
            end_group()
            print(f"stopped by signal {got.si_signo} in row {row}", file=sys.stderr)
            return INTERRUPTED
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            end_group()
            code = os.waitstatus_to_exitcode(status)
            return code if code in (0, FAILED, NO_OUTPUT) else broke(f"crashed ({code})")
        if time.monotonic() - moved > patience:
            end_group()
            return broke(f"hung: no progress for {patience} seconds, so it was killed,")
