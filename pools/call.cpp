#include "pools/call.hpp"

namespace pools {

void answer_call(Reader& call, Writer& answer) {
  const std::size_t begin = answer.size();
  try {
    decode<detail::Thunk>(call)(call, answer);
  } catch (...) {
    answer_failure(answer, begin);
  }
}

void answer_failure(Writer& answer, std::size_t begin) {
  answer.truncate(begin);
  encode(answer, false);
  encode_current_exception(answer);
}

}  // namespace pools
