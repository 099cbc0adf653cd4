// Built in place of onetbb_task_arena.cpp where oneTBB was not found.
#include "bench/other_pools.hpp"

namespace bench {

OtherPoolKind onetbb_task_arena() {
  return {.name = "onetbb_task_arena",
          .make = nullptr,
          .why_absent =
              "oneTBB was not found when this was built, or cannot be built in: install "
              "libtbb-dev and configure again"};
}

}  // namespace bench
