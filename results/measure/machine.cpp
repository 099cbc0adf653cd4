#include "results/measure/machine.hpp"

#include <gnu/libc-version.h>
#include <sched.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include <fmt/format.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "results/measure/build_info.hpp"

namespace results {
namespace fs = std::filesystem;
namespace {

// The first line of a file of the kernel, or null.
Json line_of(const fs::path& file) {
  std::ifstream stream(file);
  std::string line;
  if (!std::getline(stream, line)) return nullptr;
  return line;
}

Json number_of(const fs::path& file) {
  std::ifstream stream(file);
  unsigned long long number = 0;
  if (!(stream >> number)) return nullptr;
  return number;
}

std::string cpuinfo(std::string_view field) {
  std::ifstream stream("/proc/cpuinfo");
  for (std::string line; std::getline(stream, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with(field) && colon != std::string::npos) return line.substr(colon + 2);
  }
  return {};
}

std::vector<int> allowed_cpus() {
  cpu_set_t set;
  std::vector<int> cpus;
  if (::sched_getaffinity(0, sizeof set, &set) == -1) return cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &set)) cpus.push_back(cpu);
  }
  return cpus;
}

// "kvm", "hyper-v", ...; "vm" for a hypervisor without a known signature, empty on bare metal.
std::string virtualization() {
#if defined(__x86_64__)
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & (1U << 31)) == 0) return {};
  __cpuid(0x40000000, eax, ebx, ecx, edx);
  std::string signature;
  for (const unsigned word : {ebx, ecx, edx}) {
    signature.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  if (signature.starts_with("KVMKVMKVM")) return "kvm";
  if (signature == "Microsoft Hv") return "hyper-v";
  if (signature == "VMwareVMware") return "vmware";
  if (signature == "XenVMMXenVMM") return "xen";
  return "vm";
#else
  const Json type = line_of("/sys/hypervisor/type");
  return type.is_null() ? std::string() : type.get<std::string>();
#endif
}

// How many different values a file of the topology has over the allowed CPUs.
std::size_t count_distinct(const std::vector<int>& cpus, const std::vector<const char*>& files) {
  std::set<std::string> values;
  for (const int cpu : cpus) {
    std::string value;
    for (const char* file : files) {
      value += line_of(fmt::format("/sys/devices/system/cpu/cpu{}/topology/{}", cpu, file)).dump();
    }
    values.insert(value);
  }
  return values.size();
}

Json caches() {
  Json list = Json::array();
  for (int index = 0;; ++index) {
    const fs::path folder = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}", index);
    if (!fs::exists(folder)) return list;
    list.push_back({{"level", number_of(folder / "level")},
                    {"type", line_of(folder / "type")},
                    {"size", line_of(folder / "size")},
                    {"shared_cpus", line_of(folder / "shared_cpu_list")}});
  }
}

Json mitigations() {
  Json list = Json::object();
  std::error_code error;
  std::set<fs::path> files;
  for (const auto& entry :
       fs::directory_iterator("/sys/devices/system/cpu/vulnerabilities", error)) {
    files.insert(entry.path());
  }
  for (const fs::path& file : files) {
    const Json state = line_of(file);
    if (state != "Not affected") list[file.filename().string()] = state;
  }
  return list;
}

Json turbo() {
  const Json off = number_of("/sys/devices/system/cpu/intel_pstate/no_turbo");
  if (!off.is_null()) return off == 0;
  const Json boost = number_of("/sys/devices/system/cpu/cpufreq/boost");
  return boost.is_null() ? boost : Json(boost != 0);
}

// How far the kernel shuffles addresses, as proc(5) numbers it; 0 also where this process, and
// with it what it launches, asked for none.
Json address_randomization() {
  const int persona = ::personality(0xffffffff);
  if (persona != -1 && (persona & ADDR_NO_RANDOMIZE) != 0) return 0;
  return number_of("/proc/sys/kernel/randomize_va_space");
}

// The number in the first line of a file of a control group: version 2 writes "QUOTA PERIOD".
double share_of(const Json& line) {
  if (line.is_null()) return 0;
  std::istringstream words(line.get<std::string>());
  double quota = 0, period = 0;
  return words >> quota >> period && quota > 0 && period > 0 ? quota / period : 0;
}

// How many CPUs' worth of time the control groups of this process leave it, or null: the tightest
// from its own group to the root (cgroups(7); "cpu.max" of version 2, "cpu.cfs_*" of version 1).
Json cpu_quota() {
  double tightest = 0;
  std::ifstream groups("/proc/self/cgroup");
  for (std::string line; std::getline(groups, line);) {
    const std::size_t controllers = line.find(':'), path = line.find(':', controllers + 1);
    if (path == std::string::npos) continue;
    const std::string list = line.substr(controllers + 1, path - controllers - 1);
    const bool version_2 = list.empty();
    if (!version_2 && list != "cpu" && list != "cpu,cpuacct") continue;
    const fs::path root = version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    for (fs::path group = line.substr(path + 1);; group = group.parent_path()) {
      const fs::path folder = root / group.relative_path();
      double cpus = share_of(line_of(folder / "cpu.max"));
      const Json quota = line_of(folder / "cpu.cfs_quota_us");
      if (quota.is_string()) {
        const Json period = line_of(folder / "cpu.cfs_period_us");
        cpus = share_of(fmt::format("{} {}", quota.get<std::string>(), period.get<std::string>()));
      }
      if (cpus > 0 && (tightest == 0 || cpus < tightest)) tightest = cpus;
      if (!group.has_relative_path()) break;
    }
  }
  return tightest > 0 ? Json(tightest) : Json(nullptr);
}

Json limit(int resource) {
  rlimit value{};
  if (::getrlimit(static_cast<__rlimit_resource>(resource), &value) == -1) return nullptr;
  return value.rlim_cur == RLIM_INFINITY ? Json(nullptr) : Json(value.rlim_cur);
}

}  // namespace

std::string machine_id(std::string_view cpu_model, std::size_t cpus,
                       std::string_view virtualization) {
  // Words of the trade and the clock rate do not tell processors apart.
  static const std::regex noise(R"(\((R|TM)\)|\b(CPU|Processor|\d+-Core|with .* Graphics)\b|@.*$)",
                                std::regex::icase);
  const std::string model = std::regex_replace(std::string(cpu_model), noise, " ");
  std::string id;
  for (const char c : model) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0) {
      id += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!id.empty() && id.back() != '-') {
      id += '-';
    }
  }
  if (!id.empty() && id.back() != '-') id += '-';
  id += fmt::format("{}cpu", cpus);
  if (!virtualization.empty()) id += fmt::format("-{}", virtualization);
  return id;
}

std::string cpu_list(const std::vector<int>& cpus) {
  std::string text;
  for (std::size_t first = 0, last = 0; first < cpus.size(); first = last + 1) {
    last = first;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    if (!text.empty()) text += ',';
    text += fmt::format("{}", cpus[first]);
    if (last > first) text += fmt::format("-{}", cpus[last]);
  }
  return text;
}

Json machine() {
  const std::vector<int> cpus = allowed_cpus();
  utsname system{};
  ::uname(&system);
  std::string model = cpuinfo("model name");
  if (model.empty()) model = system.machine;
  const std::string virtual_by = virtualization();
  const fs::path cpu = "/sys/devices/system/cpu";
  return {{"id", machine_id(model, cpus.size(), virtual_by)},
          {"cpu", model},
          {"cpus", cpus.size()},
          {"sockets", count_distinct(cpus, {"physical_package_id"})},
          {"cores", count_distinct(cpus, {"physical_package_id", "core_id"})},
          {"smt", number_of(cpu / "smt/active")},
          {"virtualization", virtual_by.empty() ? Json(nullptr) : Json(virtual_by)},
          {"kernel", fmt::format("{} {}", system.sysname, system.release)},
          {"architecture", system.machine},
          {"memory_bytes", static_cast<std::uint64_t>(::sysconf(_SC_PHYS_PAGES)) *
                               static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE))},
          {"governor", line_of(cpu / "cpu0/cpufreq/scaling_governor")},
          {"turbo", turbo()},
          {"aslr", address_randomization()},
          {"cpu_quota", cpu_quota()},
          {"cpuidle_driver", line_of(cpu / "cpuidle/current_driver")},
          {"cpuidle_governor", line_of(cpu / "cpuidle/current_governor_ro")},
          {"caches", caches()},
          {"mitigations", mitigations()}};
}

Json limits() {
  const fs::path kernel = "/proc/sys/kernel", queues = "/proc/sys/fs/mqueue";
  struct statvfs shm {};
  const bool shm_known = ::statvfs("/dev/shm", &shm) == 0;
  return {{"rlimit_msgqueue_bytes", limit(RLIMIT_MSGQUEUE)},
          {"rlimit_nofile", limit(RLIMIT_NOFILE)},
          {"rlimit_nproc", limit(RLIMIT_NPROC)},
          {"rlimit_memlock_bytes", limit(RLIMIT_MEMLOCK)},
          {"mqueue_msg_max", number_of(queues / "msg_max")},
          {"mqueue_msgsize_max_bytes", number_of(queues / "msgsize_max")},
          {"mqueue_queues_max", number_of(queues / "queues_max")},
          {"msgmax_bytes", number_of(kernel / "msgmax")},
          {"msgmnb_bytes", number_of(kernel / "msgmnb")},
          {"msgmni", number_of(kernel / "msgmni")},
          {"pipe_max_size_bytes", number_of("/proc/sys/fs/pipe-max-size")},
          {"pipe_user_pages_soft", number_of("/proc/sys/fs/pipe-user-pages-soft")},
          {"wmem_max_bytes", number_of("/proc/sys/net/core/wmem_max")},
          {"dev_shm_bytes", shm_known ? Json(shm.f_blocks * shm.f_frsize) : Json(nullptr)}};
}

Json build() {
  return {{"compiler", build_info::compiler},
          {"type", build_info::type},
          {"flags", build_info::flags},
          {"commit", build_info::commit},
          {"libraries",
           {{"boost", build_info::boost},
            {"benchmark", build_info::benchmark},
            {"fmt", build_info::fmt},
            {"glibc", ::gnu_get_libc_version()}}}};
}

Json placement() {
  return {{"allowed_cpus", cpu_list(allowed_cpus())}};
}

Activity Activity::now() {
  Activity activity;
  std::ifstream load("/proc/loadavg");
  double one = 0, five = 0, fifteen = 0;
  activity.load_average = Json::array();
  if (load >> one >> five >> fifteen) activity.load_average = {one, five, fifteen};
  // cpu user nice system idle iowait irq softirq steal
  std::ifstream stat("/proc/stat");
  std::string word;
  stat >> word;
  for (int column = 0; column < 8 && stat >> word; ++column) {
  }
  if (stat) activity.steal_s = std::stod(word) / static_cast<double>(::sysconf(_SC_CLK_TCK));
  return activity;
}

}  // namespace results
