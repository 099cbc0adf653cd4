#include "pools/code.hpp"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <ios>
#include <optional>
#include <span>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pools::detail {

namespace {

// A program or library as it is loaded in this process.
struct Module {
  std::string_view path;
  std::uintptr_t base = 0;  // offsets count from here
  std::uintptr_t code_begin = 0;
  std::uintptr_t code_end = 0;
  std::uint64_t build_id = 0;  // its beginning; 0: none

  [[nodiscard]] bool has(std::uintptr_t address) const {
    return address >= code_begin && address < code_end;
  }
};

// The notes of a segment: elf(5), Notes. Those of gold and lld are aligned as those of ld.
std::uint64_t build_id_in(std::span<const std::byte> notes, std::size_t alignment) {
  const auto aligned = [&](std::size_t bytes) {
    return (bytes + alignment - 1) & ~(alignment - 1);
  };
  ElfW(Nhdr) header;
  while (notes.size() >= sizeof header) {
    std::memcpy(&header, notes.data(), sizeof header);
    const std::size_t name_at = sizeof header;
    const std::size_t description_at = aligned(name_at + header.n_namesz);
    if (description_at + header.n_descsz > notes.size()) break;
    const std::string_view name(reinterpret_cast<const char*>(notes.data() + name_at),
                                header.n_namesz);
    if (header.n_type == NT_GNU_BUILD_ID && name == std::string_view(ELF_NOTE_GNU, 4)) {
      std::uint64_t id = 0;
      std::memcpy(&id, notes.data() + description_at,
                  std::min<std::size_t>(sizeof id, header.n_descsz));
      return id;
    }
    notes = notes.subspan(std::min(notes.size(), aligned(description_at + header.n_descsz)));
  }
  return 0;
}

Module module_of(const dl_phdr_info& info) {
  Module module{.path = info.dlpi_name, .base = info.dlpi_addr};
  for (const ElfW(Phdr) & segment : std::span(info.dlpi_phdr, info.dlpi_phnum)) {
    const std::uintptr_t begin = module.base + segment.p_vaddr;
    if (segment.p_type == PT_LOAD && (segment.p_flags & PF_X) != 0) {
      if (module.code_end == 0) module.code_begin = begin;
      module.code_end = begin + segment.p_memsz;
    } else if (segment.p_type == PT_NOTE && module.build_id == 0) {
      module.build_id = build_id_in({reinterpret_cast<const std::byte*>(begin), segment.p_memsz},
                                    segment.p_align == 8 ? 8 : 4);
    }
  }
  return module;
}

// The first for which wanted(module) is true; the program itself is asked about first.
template <class Wanted>
std::optional<Module> find_module(Wanted wanted) {
  struct Search {
    Wanted& wanted;
    std::optional<Module> found;
  } search{wanted, std::nullopt};
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* data) {
        auto& [is_wanted, found] = *static_cast<Search*>(data);
        const Module module = module_of(*info);
        if (is_wanted(module)) found = module;
        return found ? 1 : 0;
      },
      &search);
  return search.found;
}

// Never unloaded: looked up once.
const Module& program() {
  static const Module module = *find_module([](const Module&) { return true; });
  return module;
}

std::string hexadecimal(std::uint64_t number) {
  std::ostringstream text;
  text << "0x" << std::hex << number;
  return text.str();
}

std::uintptr_t place_in(const Module& module, std::uint64_t offset) {
  const std::uintptr_t address = module.base + offset;
  if (module.has(address)) return address;
  throw std::runtime_error("no code is at " + hexadecimal(offset) + " of " +
                           (module.path.empty() ? "the program" : std::string(module.path)));
}

}  // namespace

CodeAddress code_address(std::uintptr_t address) {
  if (address == 0) return {};
  if (program().has(address)) return {.module = 0, .offset = address - program().base};
  const auto module = find_module([=](const Module& each) { return each.has(address); });
  if (!module) {
    throw std::invalid_argument("the function at " + hexadecimal(address) +
                                " is in no loaded program or library: it cannot be found by "
                                "another process");
  }
  if (module->build_id == 0) {
    throw std::invalid_argument("the function at " + hexadecimal(address) + " is in " +
                                std::string(module->path) +
                                ", which has no build id: link it with -Wl,--build-id");
  }
  return {.module = module->build_id, .offset = address - module->base};
}

std::uintptr_t code_at(CodeAddress code) {
  if (code.module == 0) return code.offset == 0 ? 0 : place_in(program(), code.offset);
  const auto module = find_module([=](const Module& each) { return each.build_id == code.module; });
  if (!module) {
    throw std::runtime_error(
        "code of a library that this process does not have (its build id begins with " +
        hexadecimal(code.module) +
        "): it was loaded after the pool's zygote was made, or only there");
  }
  return place_in(*module, code.offset);
}

}  // namespace pools::detail
