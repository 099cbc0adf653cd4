#include "pools/worker.hpp"

#include "pools/code.hpp"

namespace pools {

void put_worker_order(ipc::Parcel& order, const ipc::AnyChannel& channel, std::size_t piece_bytes) {
  order.put(code_address(channel.self));
  order.put(piece_bytes);
}

void worker_main(std::size_t worker, Board& board, ipc::Parcel& order) {
  const auto channel = code_at<decltype(ipc::AnyChannel::self)>(order.take<CodeAddress>())();
  const auto piece_bytes = order.take<std::size_t>();
  Worker(channel, order, board, board.workers[worker], piece_bytes).serve();
}

}  // namespace pools
