"""The flags of the other benchmark binaries (main.hpp), as far as ipc-compare passes them."""

import argparse
import re
import sys

from python.measure import Settings
from python.report import NO_OUTPUT, USAGE, Report, measure_rows, watch



def truth(text):
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError("is true or false")
    return text == "true"


def row_time(text):
    seconds = float(text)
    if not 0 < seconds <= 60:
        raise argparse.ArgumentTypeError("is a number of seconds above 0, and 60 at most")
    return seconds


def parse(description, arguments):
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    add = parser.add_argument
    formats = ("console", "json")
    add("--size", choices=tuple(Settings.SECONDS), default="quick")
    add("--after", default="", metavar="ROW", help="only the rows that come after this one")
    add("--benchmark_filter", default="all", metavar="[-]REGEX")
    add("--benchmark_list_tests", type=truth, nargs="?", const=True, default=False)
    add("--benchmark_min_time", type=row_time, metavar="SECONDS", help="for each row")
    add("--benchmark_format", choices=formats, default="console")
    add("--benchmark_out", metavar="FILE", help="JSON")
    add("--benchmark_out_format", choices=("json",), default="json")
    return parser.parse_args(arguments)


def refuse(code, text):
    print(text, file=sys.stderr)
    sys.exit(code)


def chosen(rows, after, expression):
    """The rows behind `after` that the filter takes, by Google Benchmark's rules."""
    if after:
        names = [name for name, _ in rows]
        found = next((n for n in (after, f"{after}/manual_time") if n in names), None)
        if found is None:
            refuse(USAGE, f"--after={after}: there is no such row")
        rows = rows[names.index(found) + 1 :]
    if expression in ("", "all"):
        return rows
    negated = expression.startswith("-")
    try:
        pattern = re.compile(expression[1:] if negated else expression)
    except re.error as error:
        refuse(USAGE, f"--benchmark_filter={expression}: is no regular expression: {error}")
    return [row for row in rows if bool(pattern.search(row[0])) != negated]


def run(scenarios, description):
    """Measures the rows that the scenarios give, as the command line says; returns the exit code.

    A scenario is a function of the settings that gives (name, (function, arguments...)) for each
    row: the function is called with the settings and these arguments, and returns a Measured.
    """
    command = parse(description, sys.argv[1:])
    settings = Settings(command.size, command.benchmark_min_time)
    rows = [(f"{name}/manual_time", take) for give in scenarios for name, take in give(settings)]
    rows = chosen(rows, command.after, command.benchmark_filter)
    if not rows:
        refuse(USAGE, f"--benchmark_filter={command.benchmark_filter}: there is no such row")
    if command.benchmark_list_tests:
        print(*(name for name, _ in rows), sep="\n")
        return 0
    out = None
    try:
        if command.benchmark_out:
            out = open(command.benchmark_out, "w", encoding="utf-8")
    except OSError as error:
        refuse(NO_OUTPUT, f"--benchmark_out={command.benchmark_out}: {error.strerror}")

    def work(progress):
        try:
            report = Report(settings, command.benchmark_format == "json", out)
            return measure_rows(rows, settings, report, progress)
        except OSError as error:
            print(f"the report cannot be written: {error}", file=sys.stderr)
            return NO_OUTPUT

    return watch(60 + int(4 * settings.seconds), work)
