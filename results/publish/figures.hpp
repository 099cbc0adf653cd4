// The figures that tables show: counters of rows by their names, and how to read them.
#pragma once

#include "results/publish/tables.hpp"

namespace results::figures {

inline constexpr Figure time{.name = "real_time_ns", .unit = Unit::nanoseconds};
inline constexpr Figure cpu{.name = "cpu_ns_per_message", .unit = Unit::nanoseconds};
inline constexpr Figure p50{.name = "latency_ns_p50", .unit = Unit::nanoseconds};
inline constexpr Figure p90{.name = "latency_ns_p90", .unit = Unit::nanoseconds};
inline constexpr Figure p99{.name = "latency_ns_p99", .unit = Unit::nanoseconds};
inline constexpr Figure p99_9{.name = "latency_ns_p99_9", .unit = Unit::nanoseconds};
inline constexpr Figure slowest{.name = "latency_ns_max", .unit = Unit::nanoseconds};
inline constexpr Figure known_p50{.name = "known_ns_p50", .unit = Unit::nanoseconds};
inline constexpr Figure known_p99{.name = "known_ns_p99", .unit = Unit::nanoseconds};
inline constexpr Figure known_max{.name = "known_ns_max", .unit = Unit::nanoseconds};
inline constexpr Figure label{.name = "label", .unit = Unit::words};
inline constexpr Figure batch{.name = "batch", .unit = Unit::count};
inline constexpr Figure messages{
    .name = "messages_per_second", .unit = Unit::per_second, .lower_is_better = false};
inline constexpr Figure bytes{
    .name = "bytes_per_second", .unit = Unit::bytes_per_second, .lower_is_better = false};
inline constexpr Figure copies{
    .name = "copies_per_second", .unit = Unit::per_second, .lower_is_better = false};
inline constexpr Figure times_copy{
    .name = "times_copy", .unit = Unit::ratio, .lower_is_better = false};
inline constexpr Figure tasks{
    .name = "tasks_per_second", .unit = Unit::per_second, .lower_is_better = false};
inline constexpr Figure cpu_per_task{.name = "cpu_ns_per_task", .unit = Unit::nanoseconds};
inline constexpr Figure pss{.name = "pss_bytes_per_worker", .unit = Unit::bytes};
inline constexpr Figure private_memory{.name = "private_bytes_per_worker", .unit = Unit::bytes};

// Divided by a floor that was measured beside the row, in the same launch.
inline constexpr Figure times_cache_line{.name = "times_cache_line", .unit = Unit::ratio};
inline constexpr Figure times_futex_wake{.name = "times_futex_wake", .unit = Unit::ratio};
inline constexpr Figure times_bare_loop{.name = "times_bare_loop", .unit = Unit::ratio};
inline constexpr Figure times_round_trip{.name = "times_round_trip", .unit = Unit::ratio};

}  // namespace results::figures
