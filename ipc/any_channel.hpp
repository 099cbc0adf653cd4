// A channel that is chosen when the program runs. Costs an indirect call for each send and receive;
// whatever is compiled once for all mechanisms takes this: pools, tests, the set-up of benchmarks.
//
//   for (const ipc::AnyChannel& channel : ipc::all_channels()) {
//     auto [sender, receiver] = channel.open({});
#pragma once

#include <array>
#include <memory>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

#include "ipc/channel.hpp"
#include "ipc/parcel.hpp"
#include "ipc/refinements.hpp"

namespace ipc {

// What a mechanism's end lacks: one more of Arity::one, a hand-over between threads.
class NotSupported : public std::logic_error {
 public:
  using std::logic_error::logic_error;
};

namespace detail {

// What both kinds of ends have in common; Interface adds what they do.
template <class Interface, class End>
class AnyEndModel : public Interface {
 public:
  explicit AnyEndModel(End end) : end_(std::move(end)) {}

  [[nodiscard]] std::unique_ptr<Interface> clone() const override {
    if constexpr (Cloneable<End>) {
      return std::make_unique<typename Interface::template Model<End>>(end_.clone());
    } else {
      throw NotSupported("this mechanism has one end of this kind, it cannot be cloned");
    }
  }
  void pack(Parcel& parcel) override {
    if constexpr (Portable<End>) {
      std::move(end_).pack(parcel);
    } else {
      throw NotSupported("this mechanism works between the threads of one process only");
    }
  }
  [[nodiscard]] void* address() override { return &end_; }

 protected:
  End end_;
};

}  // namespace detail

class AnySender {
 public:
  template <class S>
  requires(!std::same_as<S, AnySender> && SenderEnd<S>) explicit AnySender(S end)
      : end_(std::make_unique<Interface::Model<S>>(std::move(end))) {}

  Outcome send(Bytes message, Deadline deadline) { return end_->send(message, deadline); }
  [[nodiscard]] Capacity capacity() const { return end_->capacity(); }

  // Throws NotSupported where the mechanism has one sender.
  [[nodiscard]] AnySender clone() const { return AnySender(end_->clone()); }
  // Throws NotSupported where the mechanism works between threads only.
  void pack(Parcel& parcel) && { end_->pack(parcel); }

  // The mechanism's own end. Requires that it is an S.
  template <SenderEnd S>
  [[nodiscard]] S& as() {
    return *static_cast<S*>(end_->address());
  }

 private:
  class Interface {
   public:
    template <class S>
    class Model;

    virtual ~Interface() = default;
    virtual Outcome send(Bytes message, Deadline deadline) = 0;
    [[nodiscard]] virtual Capacity capacity() const = 0;
    [[nodiscard]] virtual std::unique_ptr<Interface> clone() const = 0;
    virtual void pack(Parcel& parcel) = 0;
    [[nodiscard]] virtual void* address() = 0;
  };

  explicit AnySender(std::unique_ptr<Interface> end) : end_(std::move(end)) {}

  std::unique_ptr<Interface> end_;
};

template <class S>
class AnySender::Interface::Model final : public detail::AnyEndModel<Interface, S> {
 public:
  using detail::AnyEndModel<Interface, S>::AnyEndModel;
  Outcome send(Bytes message, Deadline deadline) override {
    return this->end_.send(message, deadline);
  }
  [[nodiscard]] Capacity capacity() const override { return this->end_.capacity(); }
};

class AnyReceiver {
 public:
  template <class R>
  requires(!std::same_as<R, AnyReceiver> && ReceiverEnd<R>) explicit AnyReceiver(R end)
      : end_(std::make_unique<Interface::Model<R>>(std::move(end))) {}

  Received receive(Buffer buffer, Deadline deadline) { return end_->receive(buffer, deadline); }
  // As PollableReceiver has it. Throws NotSupported where the mechanism has no descriptor.
  [[nodiscard]] int descriptor() { return end_->descriptor(); }

  // Throws NotSupported where the mechanism has one receiver.
  [[nodiscard]] AnyReceiver clone() const { return AnyReceiver(end_->clone()); }
  // Throws NotSupported where the mechanism works between threads only.
  void pack(Parcel& parcel) && { end_->pack(parcel); }

  // The mechanism's own end. Requires that it is an R.
  template <ReceiverEnd R>
  [[nodiscard]] R& as() {
    return *static_cast<R*>(end_->address());
  }

 private:
  class Interface {
   public:
    template <class R>
    class Model;

    virtual ~Interface() = default;
    virtual Received receive(Buffer buffer, Deadline deadline) = 0;
    [[nodiscard]] virtual int descriptor() = 0;
    [[nodiscard]] virtual std::unique_ptr<Interface> clone() const = 0;
    virtual void pack(Parcel& parcel) = 0;
    [[nodiscard]] virtual void* address() = 0;
  };

  explicit AnyReceiver(std::unique_ptr<Interface> end) : end_(std::move(end)) {}

  std::unique_ptr<Interface> end_;
};

template <class R>
class AnyReceiver::Interface::Model final : public detail::AnyEndModel<Interface, R> {
 public:
  using detail::AnyEndModel<Interface, R>::AnyEndModel;
  Received receive(Buffer buffer, Deadline deadline) override {
    return this->end_.receive(buffer, deadline);
  }
  [[nodiscard]] int descriptor() override {
    if constexpr (PollableReceiver<R>) {
      return this->end_.descriptor();
    } else {
      throw NotSupported("this mechanism has no descriptor to wait for");
    }
  }
};

struct AnyChannel {
  std::string_view name;
  Traits traits;
  bool loans;     // LoanChannel
  bool pollable;  // PollableChannel
  std::pair<AnySender, AnyReceiver> (*open)(const Options&);
  // Of what was packed. Throw NotSupported where the mechanism works between threads only.
  AnySender (*unpack_sender)(Parcel&);
  AnyReceiver (*unpack_receiver)(Parcel&);
  // Gives this again: the address of a function can be told to another process of the program.
  AnyChannel (*self)();
};

template <Channel C>
constexpr AnyChannel any_channel() {
  return {.name = C::name,
          .traits = C::traits,
          .loans = LoanChannel<C>,
          .pollable = PollableChannel<C>,
          .open = [](const Options& options) -> std::pair<AnySender, AnyReceiver> {
            auto [sender, receiver] = C::open(options);
            return {AnySender(std::move(sender)), AnyReceiver(std::move(receiver))};
          },
          .unpack_sender = [](Parcel& parcel) -> AnySender {
            if constexpr (Portable<typename C::Sender>) {
              return AnySender(typename C::Sender(parcel));
            } else {
              throw NotSupported("this mechanism works between the threads of one process only");
            }
          },
          .unpack_receiver = [](Parcel& parcel) -> AnyReceiver {
            if constexpr (Portable<typename C::Receiver>) {
              return AnyReceiver(typename C::Receiver(parcel));
            } else {
              throw NotSupported("this mechanism works between the threads of one process only");
            }
          },
          .self = any_channel<C>};
}

// For TypeList::into.
template <Channel... Cs>
struct ErasedChannels {
  static constexpr std::array<AnyChannel, sizeof...(Cs)> list{any_channel<Cs>()...};
};

}  // namespace ipc
