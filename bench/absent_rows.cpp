#include "bench/absent_rows.hpp"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "bench/axes.hpp"
#include "bench/other_pools.hpp"
#include "ipc/all_channels.hpp"
#include "ipc/locks.hpp"
#include "pools/pools.hpp"

namespace bench {
namespace {

using Json = nlohmann::ordered_json;

std::vector<std::string> pools_but(bool (*named)(std::string_view)) {
  std::vector<std::string> others;
  for (const ::pools::PoolKind& kind : ::pools::all_pools()) {
    if (!named(kind.name)) others.push_back(kind.name);
  }
  return others;
}

// What only the full size has.
void add_full_only(Json& list, Size size) {
  const std::string few =
      fmt::format("lifecycle/pool:({})/", fmt::join(pools_but(stands_for_others), "|"));
  for (const char* rows : {"start:(fork|spawn)/.*", "(start:zygote_early/)?parent:256_MiB"}) {
    list.push_back({{"rows", few + rows}, {"reason", full_only}});
  }
  if (size != Size::smoke) return;
  list.push_back(
      {{"rows", "pool_echo/pool:(process|thread)_.*/bytes:16777216"}, {"reason", full_only}});
}

// What only the quick size lacks.
void add_left_out(Json& list, bool two_cpus) {
  for (const PeerKind peer : peer_kinds) {
    for (const Cpus cpus : all_cpus) {
      const auto add = [&](std::string_view scenarios, std::span<const std::size_t> lengths) {
        std::vector<std::size_t> missing;
        std::copy_if(lengths.begin(), lengths.end(), std::back_inserter(missing),
                     [&](std::size_t bytes) {
                       return !takes_part(Size::quick, Point{peer, cpus, bytes});
                     });
        if (missing.empty()) return;
        list.push_back(
            {{"rows", fmt::format("{}/.*/peer:{}/cpus:{}/bytes:({})", scenarios, to_text(peer),
                                  to_text(cpus), fmt::join(missing, "|"))},
             {"reason", left_out}});
      };
      add("(round_trip|one_way)", message_bytes);
      if (cpus == Cpus::cross) add("(round_trip|one_way)", message_bytes_in_a_cache_line);
      if (cpus == worker_cpus(two_cpus)) add("loan", loan_bytes);
    }
  }
  for (const SharedData data : {SharedData::counter, SharedData::table}) {
    if (takes_part(Size::quick, data)) continue;
    list.push_back(
        {{"rows", fmt::format("shared_data/data:{}/.*", to_text(data))}, {"reason", left_out}});
  }
  for (const std::size_t workers : worker_counts) {
    if (takes_part(Size::quick, workers)) continue;
    list.push_back(
        {{"rows", fmt::format("shared_data/.*/workers:{}", workers)}, {"reason", left_out}});
  }
  const auto few = pools_but(stands_for_others);
  for (const std::string_view rows :
       {"task:empty/.*/workers:(4|8)", "task:(xorshift_20us|sleep_1ms)/chunk:1/.*"}) {
    list.push_back({{"rows", fmt::format("pool_map/pool:({})/{}", fmt::join(few, "|"), rows)},
                    {"reason", left_out}});
  }
  list.push_back({{"rows", fmt::format("pool_echo/pool:({})/.*",
                                       fmt::join(pools_but(echoes_for_others), "|"))},
                  {"reason", left_out}});
  list.push_back(
      {{"rows", "pool_echo/pool:(process|thread)_.*/bytes:(64|65536)"}, {"reason", left_out}});
  list.push_back({{"rows", "pool_dispatch/.*/cpus:any"}, {"reason", left_out}});
  if (!has_python()) return;
  list.push_back(
      {{"rows", "lifecycle/pool:python_.*/start:(forkserver|spawn)/.*"}, {"reason", left_out}});
}

void add_absent_pools(Json& list) {
  list.push_back({{"rows", "pool_map/.*/task:(xorshift_20us|sleep_1ms)/chunk:auto/.*"},
                  {"reason", "chunks pay where a task costs less than to hand it over"}});
  for (const OtherPoolKind& kind : {boost_asio_thread_pool(), onetbb_task_arena()}) {
    if (kind.make == nullptr) continue;
    list.push_back({{"rows", fmt::format("pool_map/pool:{}/task:empty/chunk:auto/.*", kind.name)},
                    {"reason", "it has no map that cuts a range into chunks"}});
  }
  if (!has_python()) return;
  list.push_back({{"rows", "pool_echo/pool:python_.*/bytes:(64|65536)"},
                  {"reason", "what short data costs there, pool_dispatch shows"}});
  list.push_back({{"rows", "pool_echo/pool:python_.*/payload:shared_array.*"},
                  {"reason", "its pools have no array that a task can be given"}});
  list.push_back({{"rows", "lifecycle/pool:process_.*/start:forkserver/.*"},
                  {"reason", "that is Python's, and the zygote is ours"}});
  list.push_back({{"rows", "lifecycle/pool:python_.*/start:zygote_early/.*"},
                  {"reason", "that is ours, and the fork server is Python's"}});
}

}  // namespace

Json absent_rows(Size size, const Placement& placement) {
  const bool two_cpus = placement.two_cpus();
  // Channels that lack the same rows for the same reason are told together.
  std::map<std::pair<std::string, std::string>, std::string> together;
  for (const ipc::AnyChannel& channel : ipc::all_channels()) {
    const auto add = [&](const std::string& rest, const std::string& reason) {
      std::string& names = together[{rest, reason}];
      names.append(names.empty() ? "" : "|").append(channel.name);
    };
    const std::size_t shortest = message_bytes.front();
    for (const PeerKind peer : peer_kinds) {
      if (const auto reason = why_absent(channel.traits, peer, shortest)) {
        add("/peer:" + std::string(to_text(peer)) + "/.*", *reason);
      }
    }
    for (const std::size_t bytes : message_bytes) {
      if (const auto reason = why_absent(channel.traits, PeerKind::thread, bytes)) {
        add("/.*/bytes:" + std::to_string(bytes), *reason);
      }
    }
    if (!polls_first(channel.traits)) {
      add("/.*/bytes:(32|48)",
          "only who polls before it sleeps is fast enough to show how a cache line fills up");
    }
  }
  Json list = Json::array();
  for (const auto& [key, names] : together) {
    list.push_back({{"rows", "((round_trip|one_way)/channel:|shared_data/.*/guard:owner_)(" +
                                 names + ")" + key.first},
                    {"reason", key.second}});
  }
  ipc::AllLocks::for_each([&]<class L>() {
    for (const PeerKind peer : peer_kinds) {
      const auto reason = why_absent(L::traits, peer);
      if (!reason) continue;
      list.push_back(
          {{"rows", fmt::format("shared_data/.*/guard:{}/peer:{}/.*", L::name, to_text(peer))},
           {"reason", *reason}});
    }
    for (const std::size_t workers : worker_counts) {
      const auto reason = why_absent(L::traits, workers, placement.cpus());
      if (!reason) continue;
      list.push_back(
          {{"rows", fmt::format("shared_data/.*/guard:{}/.*/workers:{}", L::name, workers)},
           {"reason", *reason}});
    }
  });
  list.push_back({{"rows", "floor/what:cache_line.*/cpus:(same|any)"},
                  {"reason", "two that spin need a CPU each"}});
  list.push_back({{"rows", "(round_trip|one_way)/.*/cpus:(same|any)/bytes:(32|48)"},
                  {"reason", "how a cache line fills up shows between two CPUs only"}});
  const std::string elsewhere = two_cpus ? "/.*/cpus:(same|any)/.*" : "/.*/cpus:(cross|any)/.*";
  list.push_back(
      {{"rows", "shared_data" + elsewhere},
       {"reason", "every worker has its place: one CPU after the other, round and round"}});
  list.push_back({{"rows", "(slow_answer|loan)" + elsewhere},
                  {"reason", "where the two run is not the question here"}});
  add_absent_pools(list);
  if (size != Size::full) add_full_only(list, size);
  if (size == Size::quick) add_left_out(list, two_cpus);
  if (!two_cpus) {
    list.push_back({{"rows", ".*/cpus:cross.*"}, {"reason", "this process may use one CPU only"}});
  }
  return list;
}

}  // namespace bench
