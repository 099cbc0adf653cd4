// mq_overview(7): a POSIX message queue. On Linux it is a descriptor, so it can be polled, cloned
// and handed over like one.
#pragma once

#include <fcntl.h>
#include <mqueue.h>
#include <sys/resource.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <system_error>

#include "ipc/queue.hpp"
#include "ipc/sysctl.hpp"
#include "ipc/unique_name.hpp"

namespace ipc {

struct PosixQueue {
  static constexpr std::string_view name = "posix_queue";
  static constexpr Traits traits{
      .message_bytes_max = 8192,  // fs.mqueue.msgsize_max of a default system
      .senders = Arity::many,
      .receivers = Arity::many,
  };

  class Queue {
   public:
    explicit Queue(Fd queue) : queue_(std::move(queue)) {}
    explicit Queue(Parcel& parcel) : queue_(parcel.take_fd()) {}
    void pack(Parcel& parcel) && { parcel.put(std::move(queue_)); }
    [[nodiscard]] Queue clone() const { return Queue(queue_.duplicate()); }
    [[nodiscard]] int descriptor() const { return queue_.get(); }

    void send(Bytes message) {
      check("mq_send", [&] { return ::mq_send(descriptor(), data(message), message.size(), 0); });
    }
    // A time that is over makes the timed calls try without waiting; no clock is involved.
    bool try_send(Bytes message) {
      const int sent = retry_interrupted([&] {
        return ::mq_timedsend(descriptor(), data(message), message.size(), 0, &long_ago);
      });
      if (sent == -1 && errno != ETIMEDOUT) throw_errno("mq_timedsend");
      return sent == 0;
    }
    std::size_t receive(Buffer room) {
      return static_cast<std::size_t>(check("mq_receive", [&] {
        return ::mq_receive(descriptor(), data(room), room.size(), nullptr);
      }));
    }
    std::optional<std::size_t> try_receive(Buffer room) {
      const auto got = retry_interrupted([&] {
        return ::mq_timedreceive(descriptor(), data(room), room.size(), nullptr, &long_ago);
      });
      if (got == -1 && errno != ETIMEDOUT) throw_errno("mq_timedreceive");
      return got == -1 ? std::nullopt : std::optional(static_cast<std::size_t>(got));
    }

   private:
    static constexpr timespec long_ago{};
    static const char* data(Bytes bytes) { return reinterpret_cast<const char*>(bytes.data()); }
    static char* data(Buffer bytes) { return reinterpret_cast<char*>(bytes.data()); }

    Fd queue_;
  };

  using Sender = QueueSender<Queue>;
  using Receiver = QueueReceiver<Queue>;

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    const std::size_t wanted = options.capacity.bytes / options.message_bytes;
    mq_attr attributes{};
    attributes.mq_msgsize = static_cast<long>(options.message_bytes);
    attributes.mq_maxmsg = static_cast<long>(std::clamp<std::size_t>(
        wanted, 1, std::min(options.capacity.messages, sysctl("fs.mqueue.msg_max", 10))));
    const auto messages = static_cast<std::size_t>(attributes.mq_maxmsg);
    return open_queue(Queue(create(attributes)), Lifeline::open(), options.message_bytes,
                      {.bytes = messages * options.message_bytes, .messages = messages});
  }

  // A queue that has no name any more. Throws std::system_error that tells the limit that was met.
  static Fd create(mq_attr attributes) {
    const std::string path = "/" + unique_name();
    Fd queue(retry_interrupted([&] {
      return ::mq_open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
    }));
    if (!queue.valid()) explain(attributes);
    check("mq_unlink", [&] { return ::mq_unlink(path.c_str()); });
    return queue;
  }

 private:
  // EMFILE and EINVAL say nothing about the limit that was met: say it for them.
  [[noreturn]] static void explain(const mq_attr& attributes) {
    const int error = errno;
    std::string call = "mq_open(" + std::to_string(attributes.mq_maxmsg) + " messages of " +
                       std::to_string(attributes.mq_msgsize) + " bytes)";
    // EMFILE is either of descriptors or of bytes.
    if (error == EMFILE && !Fd(::open("/", O_PATH | O_CLOEXEC)).valid()) throw_errno(call, error);
    if (error == EMFILE) {
      rlimit bytes{};
      ::getrlimit(RLIMIT_MSGQUEUE, &bytes);
      call += ": this user's queues together may have " + std::to_string(bytes.rlim_cur) +
              " bytes (RLIMIT_MSGQUEUE); close some, or raise it with `ulimit -q`";
    } else if (error == EINVAL) {
      call += ": fs.mqueue.msg_max is " + sysctl("fs.mqueue.msg_max") +
              " and fs.mqueue.msgsize_max is " + sysctl("fs.mqueue.msgsize_max") +
              "; raise them with sysctl, or send shorter messages";
    } else if (error == ENOSPC) {
      call += ": fs.mqueue.queues_max is " + sysctl("fs.mqueue.queues_max") +
              "; remove queues that nobody uses, or raise it with sysctl";
    }
    throw std::system_error(error, std::generic_category(), call);
  }
};

static_assert(Channel<PosixQueue>);

}  // namespace ipc
