// Attaches to the channel that publish_example publishes, and prints what comes.
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <exception>

#include "ipc/adapters/named.hpp"
#include "ipc/channels/pipe.hpp"

using namespace std::chrono_literals;

int main() try {
  auto receiver = ipc::Named<ipc::Pipe>::attach_receiver("ticks", ipc::Deadline::in(10s));
  std::array<std::byte, 4096> buffer;
  for (;;) {
    const auto received = receiver.receive(buffer, ipc::Deadline::in(10s));
    if (received.outcome != ipc::Outcome::done) break;
    std::printf("%.*s\n", static_cast<int>(received.size),
                reinterpret_cast<const char*>(buffer.data()));
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
