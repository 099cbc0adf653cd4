// process_vm_readv(2), cross memory attach: the receiver copies a message out of the sender's
// memory.
//
//   sender's own memory:  places  [stamp | message] [stamp | message] ...
//   shared memory:        entries [address | length] ..., shelter [message] ...
//
// send() copies the message into a place of its own memory and returns, so the caller's buffer is
// free again and a send with room waits for nobody; the kernel does the other copy. A sender that
// goes in order moves what is unread to the shelter, which is as large as all places. What a killed
// sender had not been relieved of is gone with its memory: the receiver is told `closed`. A stamp
// with a random number of the channel tells the place from whatever a later process of the same pid
// has there.
//
// The kernel lets a process read those that it may trace (ptrace(2), PTRACE_MODE_ATTACH): the same
// user, in the same pid namespace. Where Yama's ptrace_scope is 1, the reader must be an ancestor
// or be allowed, so the sender allows whoever opened the channel and its descendants (prctl(2),
// PR_SET_PTRACER); a process has one such permission, the last one given counts.
#pragma once

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <memory>
#include <new>
#include <random>
#include <string>
#include <string_view>

#include "ipc/channel.hpp"
#include "ipc/eventcount.hpp"
#include "ipc/flag.hpp"
#include "ipc/layout.hpp"
#include "ipc/lifeline.hpp"
#include "ipc/mapping.hpp"
#include "ipc/message_size.hpp"
#include "ipc/pages.hpp"
#include "ipc/parcel.hpp"

namespace ipc {

class Cma {
  struct Stamp {
    std::uint64_t channel;  // random
    std::uint64_t number;   // of the message, counted from 0
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };

  struct Entry {
    std::atomic<std::uint64_t> address;  // of the stamp, in the sender's memory; 0: in the shelter
    std::atomic<std::uint64_t> length;
  };

  struct Header {
    static constexpr std::string_view kind = "cma";

    Layout layout{kind};
    std::uint64_t places;
    std::uint64_t message_bytes;
    std::uint64_t channel;
    pid_t opener;
    std::atomic<pid_t> sender{0};  // whose memory the addresses are in
    Flag sender_gone;
    Flag receiver_gone;
    alignas(64) std::atomic<std::uint64_t> sent{0};
    alignas(64) std::atomic<std::uint64_t> taken{0};
    alignas(64) Eventcount message;
    alignas(64) Eventcount room;
  };

  // The shared memory, as each end sees it.
  class Shared {
   public:
    explicit Shared(const Options& options) {
      const std::size_t places = places_for(options);
      mapping_ = std::make_shared<const Mapping>(
          Mapping::create(bytes_for(places, options.message_bytes)));
      std::random_device random;
      Header& header = *new (mapping_->data()) Header;
      header.places = places;
      header.message_bytes = options.message_bytes;
      header.channel = std::uint64_t{random()} << 32 | random();
      header.opener = ::getpid();
      read_header();
    }
    explicit Shared(Parcel& parcel) : mapping_(std::make_shared<const Mapping>(parcel)) {
      read_header();
    }
    void pack(Parcel& parcel) const { mapping_->pack(parcel); }

    [[nodiscard]] Header& header() const { return *header_; }
    [[nodiscard]] Entry& entry(std::uint64_t number) const {
      return reinterpret_cast<Entry*>(&header() + 1)[number % places_];
    }
    [[nodiscard]] Buffer shelter(std::uint64_t number) const {
      auto* const begin = reinterpret_cast<std::byte*>(&header() + 1) + places_ * sizeof(Entry);
      return {begin + number % places_ * message_bytes_, message_bytes_};
    }
    [[nodiscard]] std::size_t places() const { return places_; }
    [[nodiscard]] std::size_t message_bytes() const { return message_bytes_; }
    [[nodiscard]] Stamp stamp(std::uint64_t number) const { return {channel_, number}; }

   private:
    static std::size_t bytes_for(std::size_t places, std::size_t message_bytes) {
      return sizeof(Header) + places * (sizeof(Entry) + message_bytes);
    }
    // Copies the constants before it checks and uses them: the memory is the peer's too.
    void read_header() {
      header_ = &attach_header<Header>(mapping_->bytes());
      places_ = header().places;
      message_bytes_ = header().message_bytes;
      channel_ = header().channel;
      if (places_ == 0 || places_ > mapping_->size() || message_bytes_ > mapping_->size() ||
          bytes_for(places_, message_bytes_) != mapping_->size()) {
        throw_damaged(std::to_string(places_) + " places for messages of " +
                      std::to_string(message_bytes_) + " bytes do not fit it");
      }
    }

    std::shared_ptr<const Mapping> mapping_;  // both ends of a process use one
    Header* header_ = nullptr;
    std::size_t places_ = 0;
    std::size_t message_bytes_ = 0;
    std::uint64_t channel_ = 0;
  };

  // The sender's own memory. Its first page is wiped in a child, which so learns that it is one
  // (madvise(2), MADV_WIPEONFORK).
  class Places {
   public:
    Places() = default;
    explicit Places(const Shared& shared)
        : place_bytes_(sizeof(Stamp) + (shared.message_bytes() + 63) / 64 * 64),
          page_bytes_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))),
          pages_(Pages::anonymous(page_bytes_ + shared.places() * place_bytes_)) {
      check("madvise(MADV_WIPEONFORK)",
            [&] { return ::madvise(pages_.data(), page_bytes_, MADV_WIPEONFORK); });
    }

    [[nodiscard]] bool exist() const { return pages_.mapped(); }
    // Whether it was this process that called make_own().
    [[nodiscard]] bool own() const { return exist() && *pages_.data() != std::byte{0}; }
    void make_own() { *pages_.data() = std::byte{1}; }
    // The stamp's bytes; the message follows.
    [[nodiscard]] std::byte* place(std::uint64_t index) const {
      return pages_.data() + page_bytes_ + index * place_bytes_;
    }

   private:
    std::size_t place_bytes_ = 0;
    std::size_t page_bytes_ = 0;
    Pages pages_;
  };

 public:
  static constexpr std::string_view name = "cma";
  static constexpr Traits traits{
      .message_bytes_max = std::size_t{1} << 30,
      .sent_outlives_sender = false,
      .wait = "futex",
  };

  class Sender {
   public:
    explicit Sender(Parcel& parcel) : shared_(parcel), lifeline_(parcel) {}
    void pack(Parcel& parcel) && {
      shelter_unread();
      places_ = {};
      shared_.pack(parcel);
      std::move(lifeline_).pack(parcel);
    }

    Sender(Sender&&) noexcept = default;
    Sender& operator=(Sender&& other) noexcept { return replace(*this, std::move(other)); }
    ~Sender() {
      if (!lifeline_.attached()) return;
      shelter_unread();
      if (!lifeline_.leave()) return;
      shared_.header().sender_gone.raise();  // partner: receive
      shared_.header().message.notify_all();
    }

    [[nodiscard]] Capacity capacity() const {
      return {.bytes = shared_.places() * shared_.message_bytes(), .messages = shared_.places()};
    }

    Outcome send(Bytes message, Deadline deadline) {
      check_message_size(message.size(), shared_.message_bytes());
      Header& header = shared_.header();
      const std::uint64_t number = header.sent.load(std::memory_order_relaxed);
      const auto closed = [&] { return header.receiver_gone.raised(); };
      const auto ready = [&] {
        // Acquire: the receiver has read what lay there before we write over it (partner: receive).
        return number - header.taken.load(std::memory_order_acquire) < shared_.places() || closed();
      };
      if (!header.room.await(ready, deadline)) {
        return lifeline_.peers_gone() ? Outcome::closed : Outcome::timed_out;
      }
      if (closed()) return Outcome::closed;
      if (!places_.own()) introduce();
      std::byte* const place = places_.place(number % shared_.places());
      const Stamp stamp = shared_.stamp(number);
      std::memcpy(place, &stamp, sizeof stamp);
      std::memcpy(place + sizeof stamp, message.data(), message.size());
      Entry& entry = shared_.entry(number);
      entry.address.store(reinterpret_cast<std::uintptr_t>(place), std::memory_order_relaxed);
      entry.length.store(message.size(), std::memory_order_relaxed);
      // Release: whoever sees the number sees the entry, and the kernel sees the place.
      header.sent.store(number + 1, std::memory_order_release);  // partner: receive
      header.message.notify_all();
      return Outcome::done;
    }

   private:
    friend Cma;
    Sender(Shared shared, Lifeline lifeline)
        : shared_(std::move(shared)), lifeline_(std::move(lifeline)) {}

    // From now on it is this process that sends.
    void introduce() {
      if (!places_.exist()) places_ = Places(shared_);
      places_.make_own();
      // Fails where there is no Yama, which then forbids nothing.
      ::prctl(PR_SET_PTRACER, static_cast<unsigned long>(shared_.header().opener), 0, 0, 0);
      shared_.header().sender.store(::getpid(), std::memory_order_relaxed);  // shown by `sent`
    }

    // Only what lies in our places: another copy of this end may have sent too.
    void shelter_unread() {
      if (!places_.own()) return;
      const Header& header = shared_.header();
      const std::uint64_t sent = header.sent.load(std::memory_order_relaxed);
      // Copied once, then checked: the memory is the peer's too.
      const std::uint64_t taken = header.taken.load(std::memory_order_acquire);
      const std::uint64_t unread = std::min<std::uint64_t>(sent - taken, shared_.places());
      for (auto number = sent - unread; number < sent; ++number) {
        const std::byte* const place = places_.place(number % shared_.places());
        const Stamp stamp = shared_.stamp(number);
        if (std::memcmp(place, &stamp, sizeof stamp) != 0) continue;
        Entry& entry = shared_.entry(number);
        const std::size_t length = entry.length.load(std::memory_order_relaxed);
        std::memcpy(shared_.shelter(number).data(), place + sizeof stamp,
                    std::min(length, shared_.message_bytes()));
        entry.address.store(0, std::memory_order_release);  // partner: fetch
      }
    }

    Shared shared_;
    Lifeline lifeline_;
    Places places_;  // from the first send on
  };

  class Receiver {
   public:
    explicit Receiver(Parcel& parcel) : shared_(parcel), lifeline_(parcel) {}
    void pack(Parcel& parcel) && {
      shared_.pack(parcel);
      std::move(lifeline_).pack(parcel);
    }

    Receiver(Receiver&&) noexcept = default;
    Receiver& operator=(Receiver&& other) noexcept { return replace(*this, std::move(other)); }
    ~Receiver() {
      if (!lifeline_.attached() || !lifeline_.leave()) return;
      shared_.header().receiver_gone.raise();  // partner: send
      shared_.header().room.notify_all();
    }

    // Throws std::system_error when the kernel does not let us read the sender's memory; the
    // message stays.
    Received receive(Buffer buffer, Deadline deadline) {
      Header& header = shared_.header();
      const std::uint64_t number = header.taken.load(std::memory_order_relaxed);
      const auto arrived = [&] {
        return header.sent.load(std::memory_order_acquire) != number;  // partner: send
      };
      const auto ready = [&] { return arrived() || header.sender_gone.raised(); };
      const bool in_time = header.message.await(ready, deadline);
      if (!in_time && !lifeline_.peers_gone()) return {Outcome::timed_out};
      // What was sent before the sender went is seen now that we know that it went.
      if (!arrived()) return {Outcome::closed};
      // Copied once, then checked: the memory is the peer's too.
      const std::size_t length = shared_.entry(number).length.load(std::memory_order_relaxed);
      if (length == 0 || length > shared_.message_bytes()) {
        throw_damaged("an entry claims " + std::to_string(length) + " bytes, 1 to " +
                      std::to_string(shared_.message_bytes()) + " are possible");
      }
      check_buffer_size(length, buffer.size());
      if (!fetch(number, buffer.first(length))) return {Outcome::closed};
      header.taken.store(number + 1, std::memory_order_release);  // partner: send
      header.room.notify_all();
      return {Outcome::done, length};
    }

   private:
    friend Cma;
    Receiver(Shared shared, Lifeline lifeline)
        : shared_(std::move(shared)), lifeline_(std::move(lifeline)) {}

    // False when the message is gone with its sender.
    bool fetch(std::uint64_t number, Buffer room) {
      const Entry& entry = shared_.entry(number);
      if (const auto address = entry.address.load(std::memory_order_acquire); address != 0) {
        if (read_sender(address, number, room)) return true;
        // A sender that goes in order moves the message first and frees its memory then.
        if (entry.address.load(std::memory_order_acquire) != 0) return false;
      }
      std::memcpy(room.data(), shared_.shelter(number).data(), room.size());
      return true;
    }

    // False when that place is not there any more.
    bool read_sender(std::uint64_t address, std::uint64_t number, Buffer room) {
      Stamp stamp{};
      const std::array<iovec, 2> local{iovec{.iov_base = &stamp, .iov_len = sizeof stamp},
                                       iovec{.iov_base = room.data(), .iov_len = room.size()}};
      const iovec remote{.iov_base = reinterpret_cast<void*>(address),
                         .iov_len = sizeof stamp + room.size()};
      const pid_t pid = shared_.header().sender.load(std::memory_order_relaxed);
      const auto got = retry_interrupted(
          [&] { return ::process_vm_readv(pid, local.data(), local.size(), &remote, 1, 0); });
      if (got >= 0) {
        return static_cast<std::size_t>(got) == remote.iov_len && stamp == shared_.stamp(number);
      }
      if (errno == EFAULT || errno == ESRCH) return false;
      const int error = errno;
      if (lifeline_.peers_gone()) return false;  // the pid is somebody else's by now
      throw_errno(error == EPERM ? refused(pid) : "process_vm_readv", error);
    }

    static std::string refused(pid_t pid) {
      constexpr const char* file = "/proc/sys/kernel/yama/ptrace_scope";
      std::string scope = "absent";
      std::ifstream(file) >> scope;
      return "process_vm_readv of process " + std::to_string(pid) + " with " + file + " " + scope +
             "; it takes the same user and a sender that may be traced (prctl(2), "
             "PR_SET_DUMPABLE), and ptrace_scope 0, or 1 with a receiver that opened the channel "
             "or "
             "descends from who did, or CAP_SYS_PTRACE";
    }

    Shared shared_;
    Lifeline lifeline_;
  };

  static std::pair<Sender, Receiver> open(const Options& options = {}) {
    check_options(name, traits, options);
    const Shared shared(options);
    auto lifelines = Lifeline::open();
    return {Sender(shared, std::move(lifelines.first)),
            Receiver(shared, std::move(lifelines.second))};
  }
};

static_assert(Channel<Cma>);

}  // namespace ipc
