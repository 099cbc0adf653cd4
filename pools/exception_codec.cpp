#include "pools/exception_codec.hpp"

#include <cxxabi.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>

namespace pools {
namespace {

enum class ErrorKind : std::uint8_t { text, plain, system, listed, remote };

// The place in the list of the exception's own type: a derived one is another type.
template <class List>
std::optional<std::size_t> index_of(const std::exception& error) {
  std::optional<std::size_t> found;
  std::size_t index = 0;
  List::for_each([&]<class E>() {
    if (typeid(error) == typeid(E)) found = index;
    ++index;
  });
  return found;
}

std::string type_name(const std::type_info* type) {
  if (type == nullptr) return "unknown exception";
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(type->name(), nullptr, nullptr, nullptr), &std::free);
  return name == nullptr ? type->name() : name.get();
}

void encode_remote(Writer& out, const std::type_info* type, const std::string& text) {
  encode(out, ErrorKind::remote);
  encode(out, type_name(type));
  encode(out, text);
  encode(out, ::getpid());
}

// False for a category that the parent may not have.
bool encode_system(Writer& out, const std::system_error& error) {
  const bool generic = error.code().category() == std::generic_category();
  if (!generic && error.code().category() != std::system_category()) return false;
  // what() is the caller's text and the code's message; the constructor will add the latter again.
  std::string text = error.what();
  const std::string message = error.code().message();
  if (text == message) text.clear();
  if (text.ends_with(": " + message)) text.resize(text.size() - message.size() - 2);
  encode(out, ErrorKind::system);
  encode(out, generic);
  encode(out, error.code().value());
  encode(out, text);
  return true;
}

}  // namespace

bool detail::is_current_exception(const std::type_info& type) {
  const std::type_info* const current = abi::__cxa_current_exception_type();
  return current != nullptr && *current == type;
}

// The parent needs no list: it is told who makes the exception, as a worker is told who runs a
// call.
void detail::encode_listed(Writer& out, ExceptionMaker maker) {
  encode(out, ErrorKind::listed);
  encode(out, maker);
}

void encode_current_exception(Writer& out, ExceptionTypes listed) {
  const std::size_t begin = out.size();
  try {
    if (listed != nullptr && listed(out)) return;
  } catch (...) {
    out.truncate(begin);
  }
  try {
    throw;
  } catch (const std::exception& error) {
    if (const auto text = index_of<TextErrors>(error)) {
      encode(out, ErrorKind::text);
      encode(out, *text);
      encode(out, std::string(error.what()));
    } else if (const auto plain = index_of<PlainErrors>(error)) {
      encode(out, ErrorKind::plain);
      encode(out, *plain);
    } else if (typeid(error) != typeid(std::system_error) ||
               !encode_system(out, static_cast<const std::system_error&>(error))) {
      encode_remote(out, &typeid(error), error.what());
    }
  } catch (...) {
    encode_remote(out, abi::__cxa_current_exception_type(), "");
  }
}

std::exception_ptr decode_exception(Reader& in) {
  std::exception_ptr error;
  std::size_t index = 0;
  switch (decode<ErrorKind>(in)) {
    case ErrorKind::text: {
      const auto wanted = decode<std::size_t>(in);
      const auto text = decode<std::string>(in);
      TextErrors::for_each([&]<class E>() {
        if (index++ == wanted) error = std::make_exception_ptr(E(text));
      });
      break;
    }
    case ErrorKind::plain: {
      const auto wanted = decode<std::size_t>(in);
      PlainErrors::for_each([&]<class E>() {
        if (index++ == wanted) error = std::make_exception_ptr(E());
      });
      break;
    }
    case ErrorKind::system: {
      const auto& category = decode<bool>(in) ? std::generic_category() : std::system_category();
      const std::error_code code(decode<int>(in), category);
      const auto text = decode<std::string>(in);
      error = std::make_exception_ptr(text.empty() ? std::system_error(code)
                                                   : std::system_error(code, text));
      break;
    }
    case ErrorKind::listed:
      return decode<detail::ExceptionMaker>(in)(in);
    case ErrorKind::remote: {
      auto type = decode<std::string>(in);
      auto text = decode<std::string>(in);
      error =
          std::make_exception_ptr(RemoteError(std::move(type), std::move(text), decode<pid_t>(in)));
      break;
    }
  }
  if (error == nullptr) throw std::runtime_error("the answer of a worker names no known exception");
  return error;
}

}  // namespace pools
