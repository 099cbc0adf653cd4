// Publishes a channel by name and sends to whoever attaches: run attach_example beside it.
#include <chrono>
#include <cstdio>
#include <exception>
#include <span>
#include <string>

#include "ipc/adapters/named.hpp"
#include "ipc/channels/pipe.hpp"

using namespace std::chrono_literals;

int main() try {
  auto ticks = ipc::Named<ipc::Pipe>::create("ticks");
  auto sender = ticks.take_sender();
  if (!ticks.serve(ipc::Deadline::in(10s))) {
    std::puts("nobody attached");
    return 1;
  }
  for (const std::string text : {"tick 1", "tick 2", "tick 3"}) {
    sender.send(std::as_bytes(std::span(text)), ipc::Deadline::in(10s));
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "%s\n", error.what());
  return 1;
}
