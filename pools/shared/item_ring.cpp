#include "pools/shared/item_ring.hpp"

#include <algorithm>
#include <cstring>
#include <string>

#include "ipc/layout.hpp"

namespace pools {

namespace {

// Inside the monitor; atomic for the sake of who is killed.
constexpr auto relaxed = std::memory_order_relaxed;

}  // namespace

ItemRing::ItemRing(QueueState& state, ipc::Buffer memory)
    : state_(&state),
      items_max_(state.items_max),
      places_(reinterpret_cast<Place*>(memory.data())) {
  const std::uint64_t bytes = state.bytes_max;
  if (items_max_ == 0 || items_max_ > memory.size() / sizeof(Place) || bytes > memory.size() ||
      bytes_for(items_max_, bytes) != memory.size()) {
    ipc::throw_damaged("a queue of " + std::to_string(items_max_) + " items and " +
                       std::to_string(bytes) + " bytes does not fit it");
  }
  bytes_ = memory.subspan(items_max_ * sizeof(Place));
}

std::uint64_t ItemRing::size() const {
  const std::uint64_t size = state_->put.load(relaxed) - state_->got.load(relaxed);
  if (size > items_max_) ipc::throw_damaged("it claims " + std::to_string(size) + " items");
  return size;
}

bool ItemRing::has_room(std::size_t bytes) const {
  const std::uint64_t items = size();
  if (items == 0) return true;
  const std::uint64_t used = end() - place(state_->got.load(relaxed)).begin;
  if (used > bytes_.size()) ipc::throw_damaged("its items overlap");
  return items < items_max_ && bytes <= bytes_.size() - used;
}

void ItemRing::push(ipc::Bytes item) {
  const std::uint64_t number = state_->put.load(relaxed);
  const Place next{.begin = end(), .length = item.size()};
  const std::size_t at = next.begin % bytes_.size();
  const std::size_t first = std::min(item.size(), bytes_.size() - at);
  std::copy_n(item.begin(), first, bytes_.begin() + static_cast<std::ptrdiff_t>(at));
  std::copy(item.begin() + static_cast<std::ptrdiff_t>(first), item.end(), bytes_.begin());
  places_[number % items_max_] = next;
  // Release: for who is killed the item is whole before it counts.
  state_->put.store(number + 1, std::memory_order_release);
}

void ItemRing::pop(std::vector<std::byte>& item) {
  const std::uint64_t number = state_->got.load(relaxed);
  const Place from = place(number);
  const std::size_t at = from.begin % bytes_.size();
  const std::size_t first = std::min<std::size_t>(from.length, bytes_.size() - at);
  const auto begin = bytes_.begin() + static_cast<std::ptrdiff_t>(at);
  item.assign(begin, begin + static_cast<std::ptrdiff_t>(first));
  item.insert(item.end(), bytes_.begin(),
              bytes_.begin() + static_cast<std::ptrdiff_t>(from.length - first));
  state_->got.store(number + 1, std::memory_order_release);
}

ItemRing::Place ItemRing::place(std::uint64_t number) const {
  const Place place = places_[number % items_max_];
  if (place.length > bytes_.size()) {
    ipc::throw_damaged("an item claims " + std::to_string(place.length) + " bytes");
  }
  return place;
}

std::uint64_t ItemRing::end() const {
  const std::uint64_t number = state_->put.load(relaxed);
  if (number == 0) return 0;
  const Place last = place(number - 1);
  return last.begin + last.length;
}

}  // namespace pools
