// Where a function is, said so that another process of the same program finds it, even where the
// program or a library is loaded at another address: dl_iterate_phdr(3), and the build id that the
// linker gives each program and library (ld(1), --build-id).
#pragma once

#include <cstdint>
#include <type_traits>

namespace pools {

template <class T>
concept FunctionPointer = std::is_pointer_v<T> && std::is_function_v<std::remove_pointer_t<T>>;

struct CodeAddress {
  std::uint64_t module = 0;  // the program itself, or the beginning of a library's build id
  std::uint64_t offset = 0;  // in it; no function of the program is at 0: that is the null pointer
};

namespace detail {
CodeAddress code_address(std::uintptr_t address);
std::uintptr_t code_at(CodeAddress code);
}  // namespace detail

// Costs two comparisons for the program's own functions, a walk over all modules for others.
// Throws std::invalid_argument for what is in no module, or in a library without a build id.
template <FunctionPointer F>
CodeAddress code_address(F function) {
  return detail::code_address(reinterpret_cast<std::uintptr_t>(function));
}

// Throws std::runtime_error when this process does not have the library, and when the address is
// outside of the module's code.
template <FunctionPointer F>
F code_at(CodeAddress code) {
  return reinterpret_cast<F>(detail::code_at(code));
}

}  // namespace pools
