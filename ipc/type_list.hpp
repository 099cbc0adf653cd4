// A list of types to walk: for tests, pools and benchmarks.
#pragma once

#include <cstddef>

namespace ipc {

template <class... Ts>
struct TypeList {
  static constexpr std::size_t size = sizeof...(Ts);

  template <template <class...> class To>
  using into = To<Ts...>;

  template <template <class> class F>
  using map = TypeList<F<Ts>...>;

  // Calls f.template operator()<T>() for each T, in order.
  template <class F>
  static constexpr void for_each(F&& f) {
    (f.template operator()<Ts>(), ...);
  }
};

namespace detail {
template <class A, class B>
struct Joined;
template <class... As, class... Bs>
struct Joined<TypeList<As...>, TypeList<Bs...>> {
  using type = TypeList<As..., Bs...>;
};
}  // namespace detail

// The types of one list, then those of the other.
template <class A, class B>
using Joined = typename detail::Joined<A, B>::type;

}  // namespace ipc
