// A pipe between two processes, both ways: each end sends values to the other and receives its.
//
//   auto [ours, theirs] = Pipe<Request, Answer>::open();   // before fork()
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/deadline.hpp"
#include "ipc/parcel.hpp"
#include "pools/codec.hpp"
#include "pools/shared/delivered.hpp"

namespace pools {

// What an end does with bytes; see Connection.
class ByteConnection {
 public:
  static std::pair<ByteConnection, ByteConnection> open(std::size_t message_bytes);
  explicit ByteConnection(ipc::Parcel& parcel);
  ByteConnection(ByteConnection&&) noexcept;
  ByteConnection& operator=(ByteConnection&&) noexcept;
  ~ByteConnection();
  void pack(ipc::Parcel& parcel) &&;

  ipc::Outcome send(ipc::Bytes message, ipc::Deadline deadline);
  [[nodiscard]] bool poll(ipc::Deadline deadline);
  // The bytes are good until the next call.
  std::pair<ipc::Outcome, ipc::Bytes> receive(ipc::Deadline deadline);

 private:
  class End;
  explicit ByteConnection(std::unique_ptr<End> end);

  std::unique_ptr<End> end_;
};

// One end. One thread may send while another one receives. It belongs to one process: after fork()
// each destroys the end that it does not use. Then, when a process closes its end or is killed, the
// other one is told at once: `closed`, behind what was sent before.
template <class Out, class In = Out>
class Connection {
 public:
  explicit Connection(ByteConnection end) : end_(std::move(end)) {}
  explicit Connection(ipc::Parcel& parcel) : end_(parcel) {}
  // Gives it to another process. Throws std::logic_error when poll() holds a value.
  void pack(ipc::Parcel& parcel) && { std::move(end_).pack(parcel); }

  // Waits for room. Throws what encoding throws, and std::length_error for a value that is longer
  // than the pipe's message_bytes; then nothing was sent.
  ipc::Outcome send(const Out& value, ipc::Deadline deadline = ipc::Deadline::never()) {
    Writer out;
    encode(out, value);
    return end_.send(out.bytes(), deadline);
  }
  // Waits for a value. When decoding throws, that value is gone.
  [[nodiscard]] Delivered<In> receive(ipc::Deadline deadline = ipc::Deadline::never()) {
    const auto received = end_.receive(deadline);
    return delivered<In>(received.first, received.second);
  }
  // Waits until receive() has something to say at once, a value or the end; false at the deadline.
  [[nodiscard]] bool poll(ipc::Deadline deadline = ipc::Deadline::now()) {
    return end_.poll(deadline);
  }

 private:
  ByteConnection end_;
};

// The first end sends Out and receives In, the second one the other way round.
template <class Out, class In = Out>
struct Pipe {
  // The longest value; memory is taken as it is used.
  static constexpr std::size_t message_bytes_default = std::size_t{1} << 20;

  static std::pair<Connection<Out, In>, Connection<In, Out>> open(
      std::size_t message_bytes = message_bytes_default) {
    auto ends = ByteConnection::open(message_bytes);
    return {Connection<Out, In>(std::move(ends.first)),
            Connection<In, Out>(std::move(ends.second))};
  }
};

}  // namespace pools
