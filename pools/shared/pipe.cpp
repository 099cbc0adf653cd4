#include "pools/shared/pipe.hpp"

#include <optional>
#include <stdexcept>

#include "ipc/adapters/duplex.hpp"
#include "ipc/adapters/fragmented.hpp"
#include "ipc/channels.hpp"

namespace pools {

// Sockets, because their ends say when the peer is gone, and keep the borders of messages, whoever
// is killed in the middle of one.
class ByteConnection::End {
  using Channel = ipc::Duplex<ipc::Fragmented<ipc::UnixSeqpacket>>;

 public:
  static std::pair<Channel::End, Channel::End> open(std::size_t message_bytes) {
    return Channel::open({.message_bytes = message_bytes});
  }
  End(Channel::End end, std::size_t message_bytes)
      : end_(std::move(end)),
        message_bytes_(message_bytes),
        room_(std::make_unique_for_overwrite<std::byte[]>(message_bytes)) {}
  static std::unique_ptr<End> unpack(ipc::Parcel& parcel) {
    const auto message_bytes = parcel.take<std::size_t>();
    return std::make_unique<End>(Channel::End(parcel), message_bytes);
  }

  void pack(ipc::Parcel& parcel) {
    if (ahead_) throw std::logic_error("a connection with an undelivered value cannot be packed");
    parcel.put(message_bytes_);
    std::move(end_).pack(parcel);
  }

  ipc::Outcome send(ipc::Bytes message, ipc::Deadline deadline) {
    return end_.send(message, deadline);
  }
  bool poll(ipc::Deadline deadline) {
    if (ahead_) return true;
    const auto received = end_.receive({room_.get(), message_bytes_}, deadline);
    if (received.outcome == ipc::Outcome::done) ahead_ = received.size;
    closed_ = received.outcome == ipc::Outcome::closed;
    return received.outcome != ipc::Outcome::timed_out;
  }
  std::pair<ipc::Outcome, ipc::Bytes> receive(ipc::Deadline deadline) {
    if (!poll(deadline)) return {ipc::Outcome::timed_out, {}};
    if (closed_) return {ipc::Outcome::closed, {}};
    return {ipc::Outcome::done, {room_.get(), *std::exchange(ahead_, std::nullopt)}};
  }

 private:
  Channel::End end_;
  std::size_t message_bytes_;
  std::unique_ptr<std::byte[]> room_;
  std::optional<std::size_t> ahead_;  // bytes of a message that is received and not delivered
  bool closed_ = false;
};

std::pair<ByteConnection, ByteConnection> ByteConnection::open(std::size_t message_bytes) {
  auto ends = End::open(message_bytes);
  return {ByteConnection(std::make_unique<End>(std::move(ends.first), message_bytes)),
          ByteConnection(std::make_unique<End>(std::move(ends.second), message_bytes))};
}

ByteConnection::ByteConnection(std::unique_ptr<End> end) : end_(std::move(end)) {}
ByteConnection::ByteConnection(ipc::Parcel& parcel) : end_(End::unpack(parcel)) {}
ByteConnection::ByteConnection(ByteConnection&&) noexcept = default;
ByteConnection& ByteConnection::operator=(ByteConnection&&) noexcept = default;
ByteConnection::~ByteConnection() = default;
void ByteConnection::pack(ipc::Parcel& parcel) && {
  end_->pack(parcel);
}

ipc::Outcome ByteConnection::send(ipc::Bytes message, ipc::Deadline deadline) {
  return end_->send(message, deadline);
}
bool ByteConnection::poll(ipc::Deadline deadline) {
  return end_->poll(deadline);
}
std::pair<ipc::Outcome, ipc::Bytes> ByteConnection::receive(ipc::Deadline deadline) {
  return end_->receive(deadline);
}

}  // namespace pools
