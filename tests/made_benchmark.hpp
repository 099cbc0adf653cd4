// Benchmark binaries whose figures are made up.
#pragma once

#include <string>

#include <fmt/format.h>

// What a script that stands in for a benchmark binary begins with: the flags that it is given.
inline const std::string benchmark_flags = R"(#!/bin/sh
filter=. out=
for argument; do
  case $argument in
    --benchmark_filter=*) filter=${argument#*=} ;;
    --benchmark_out=*) out=${argument#*=} ;;
    --benchmark_list_tests*) list=yes ;;
  esac
done
)";

// A stand-in for a benchmark binary of three rows: row k takes 1000 ns and some noise of 1 %, times
// what `slower` says of it ("2 1.1": the second one 1.1 times as long). `without` and `crash` name
// a row. The noise of a launch is the same each time that a test runs; of the builds `base` and
// `head`, each has its own.
inline std::string made_benchmark(const std::string& slower = "", int without = 0, int crash = 0) {
  return benchmark_flags +
         fmt::format(
             R"(rows=$(printf 'made/k:%s\n' 1 2 3 | grep -v 'k:{without}$' | grep -E -- "$filter") || exit 2
[ -z "$list" ] || {{ echo "$rows"; exit 0; }}
case $rows in *k:{crash}) kill -s SEGV $$ ;; esac
echo "$rows" >>"$0.launches"
echo "$rows" | awk -v name="$0" -v slower="{slower}" '
  BEGIN {{ while ((getline line < (name ".launches")) > 0) ++launch
           srand(2 * launch + (name ~ "/head/")); split(slower, which, " "); printf "{{\"context\": {{}}, \"benchmarks\": [" }}
  {{ time = 1000 * (1 + 0.01 * (rand() + rand() - 1))
     if ($0 == "made/k:" which[1]) time *= which[2]
     printf "{{\"name\": \"%s\", \"run_type\": \"iteration\", \"iterations\": 9, \"real_time\": %f, \"cpu_time\": 1, \"time_unit\": \"ns\"}}", $0, time }}
  END {{ print "]}}" }}' >"$out"
)",
             fmt::arg("without", without), fmt::arg("crash", crash), fmt::arg("slower", slower));
}
