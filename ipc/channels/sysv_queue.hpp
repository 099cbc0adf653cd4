// msgop(2): a System V message queue. It has no descriptor and no timed call, and the kernel keeps
// it when all its users are gone; a guardian removes it then.
#pragma once

#include <sys/ipc.h>
#include <sys/msg.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string>
#include <vector>

#include "ipc/guardian.hpp"
#include "ipc/queue.hpp"
#include "ipc/sysctl.hpp"

namespace ipc {

struct SysvQueue {
  static constexpr std::string_view name = "sysv_queue";
  static constexpr Traits traits{
      .message_bytes_max = 8192,  // kernel.msgmax of a default system
      .senders = Arity::many,
      .receivers = Arity::many,
      .outlives_crash = "the queue, if its guardian is killed too",
  };

  class Queue {
   public:
    Queue(int id, std::size_t message_bytes) : id_(id), slot_(sizeof(long) + message_bytes) {}
    explicit Queue(Parcel& parcel) : id_(parcel.take<int>()), slot_(parcel.take<std::size_t>()) {}
    void pack(Parcel& parcel) && {
      parcel.put(id_);
      parcel.put(slot_.size());
    }
    [[nodiscard]] Queue clone() const { return {id_, slot_.size() - sizeof(long)}; }

    void send(Bytes message) { send(message, 0); }
    bool try_send(Bytes message) { return send(message, IPC_NOWAIT); }
    std::size_t receive(Buffer room) { return receive(room, 0).value_or(0); }
    std::optional<std::size_t> try_receive(Buffer room) { return receive(room, IPC_NOWAIT); }

   private:
    // The calls take the message behind a type, a long that must be positive.
    bool send(Bytes message, int flags) {
      constexpr long type = 1;
      std::memcpy(slot_.data(), &type, sizeof type);
      if (!message.empty()) std::memcpy(slot_.data() + sizeof type, message.data(), message.size());
      const int sent =
          retry_interrupted([&] { return ::msgsnd(id_, slot_.data(), message.size(), flags); });
      if (sent == -1 && errno != EAGAIN) throw_errno("msgsnd");
      return sent == 0;
    }
    std::optional<std::size_t> receive(Buffer room, int flags) {
      const auto got = retry_interrupted(
          [&] { return ::msgrcv(id_, slot_.data(), slot_.size() - sizeof(long), 0, flags); });
      if (got == -1 && errno != ENOMSG) throw_errno("msgrcv");
      if (got == -1) return std::nullopt;
      std::memcpy(room.data(), slot_.data() + sizeof(long), static_cast<std::size_t>(got));
      return static_cast<std::size_t>(got);
    }

    int id_;
    std::vector<std::byte> slot_;
  };

  using Sender = QueueSender<Queue>;
  using Receiver = QueueReceiver<Queue>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    if (options.message_bytes > sysctl("kernel.msgmax", traits.message_bytes_max)) {
      throw std::invalid_argument("sysv_queue: message_bytes is " +
                                  std::to_string(options.message_bytes) + ", kernel.msgmax is " +
                                  sysctl("kernel.msgmax") + "; raise it with sysctl");
    }
    auto lifelines = Lifeline::open();
    const int id = create(lifelines.first);
    const std::size_t bytes = resize(id, options);
    return open_queue(Queue(id, options.message_bytes), std::move(lifelines), options.message_bytes,
                      {.bytes = bytes});
  }

  // A queue of nobody else's, which is gone soon after the last holder of either side of the
  // lifeline. Throws std::system_error that tells the limit that was met.
  static int create(const Lifeline& end) {
    const int id = ::msgget(IPC_PRIVATE, IPC_CREAT | 0600);
    if (id == -1) {
      throw_errno(
          "msgget: kernel.msgmni is " + sysctl("kernel.msgmni") +
          "; remove queues that nobody uses (ipcs -q, ipcrm -q ID), or raise it with sysctl");
    }
    guard(end, [id] { ::msgctl(id, IPC_RMID, nullptr); });
    return id;
  }

 private:
  // Room beyond kernel.msgmnb takes CAP_SYS_RESOURCE; what is got is reported.
  static std::size_t resize(int id, const Options& options) {
    msqid_ds status{};
    check("msgctl(IPC_STAT)", [&] { return ::msgctl(id, IPC_STAT, &status); });
    const auto granted = status.msg_qbytes;
    status.msg_qbytes = std::max(options.capacity.bytes, options.message_bytes);
    return ::msgctl(id, IPC_SET, &status) == 0 ? status.msg_qbytes : granted;
  }
};

static_assert(Channel<SysvQueue>);

}  // namespace ipc
