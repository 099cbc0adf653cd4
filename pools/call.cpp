#include "pools/call.hpp"

namespace pools {

void answer_call(Reader& call, Writer& answer, ExceptionTypes listed) {
  const std::size_t begin = answer.size();
  try {
    decode<detail::Thunk>(call)(call, answer);
  } catch (...) {
    answer_failure(answer, begin, listed);
  }
}

void answer_failure(Writer& answer, std::size_t begin, ExceptionTypes listed) {
  answer.truncate(begin);
  encode(answer, false);
  encode_current_exception(answer, listed);
}

}  // namespace pools
