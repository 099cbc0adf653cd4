#include "pools/shared_memory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "ipc/mapping.hpp"
#include "ipc/syscall.hpp"

namespace pools {

class SharedMemory {
 public:
  SharedMemory(ipc::Mapping mapping, const SharedMemoryHandle& handle)
      : mapping_(std::move(mapping)), handle_(handle) {}

  [[nodiscard]] const ipc::Mapping& mapping() const { return mapping_; }
  [[nodiscard]] const SharedMemoryHandle& handle() const { return handle_; }

 private:
  ipc::Mapping mapping_;
  SharedMemoryHandle handle_;
};

namespace {

struct stat status_of(const ipc::Fd& fd) {
  struct stat status {};
  ipc::check("fstat", [&] { return ::fstat(fd.get(), &status); });
  return status;
}

std::string path_of(const std::string& process, int descriptor) {
  return "/proc/" + process + "/fd/" + std::to_string(descriptor);
}

}  // namespace

SharedMemoryPtr make_shared_memory(std::size_t bytes) {
  auto mapping = ipc::Mapping::create(bytes);
  const auto status = status_of(mapping.fd());
  const SharedMemoryHandle handle{.owner = ::getpid(),
                                  .descriptor = mapping.fd().get(),
                                  .device = status.st_dev,
                                  .inode = status.st_ino};
  return std::make_shared<const SharedMemory>(std::move(mapping), handle);
}

SharedMemoryPtr open_shared_memory(const SharedMemoryHandle& handle) {
  const std::string path = path_of(std::to_string(handle.owner), handle.descriptor);
  // Looked at before it is opened: should it be something else by now, to open that could block.
  const ipc::Fd found(::open(path.c_str(), O_PATH | O_CLOEXEC));
  const auto gone = [&] {
    return std::runtime_error("shared memory is gone: " + path +
                              " is not what it was when it was handed over");
  };
  if (!found.valid()) throw gone();
  const auto status = status_of(found);
  if (status.st_dev != handle.device || status.st_ino != handle.inode) throw gone();
  ipc::Fd fd(ipc::check("open(shared memory)", [&] {
    return ::open(path_of("self", found.get()).c_str(), O_RDWR | O_CLOEXEC);
  }));
  return std::make_shared<const SharedMemory>(ipc::Mapping::attach(std::move(fd)), handle);
}

const SharedMemoryHandle& handle_of(const SharedMemory& memory) {
  return memory.handle();
}

std::byte* data_of(const SharedMemory& memory) {
  return memory.mapping().data();
}

std::size_t size_of(const SharedMemory& memory) {
  return memory.mapping().size();
}

SharedMemoryPtr SharedMemories::open(const SharedMemoryHandle& handle) {
  const auto found = std::ranges::find(
      opened_, handle, [](const SharedMemoryPtr& memory) { return memory->handle(); });
  if (found == opened_.end()) {
    opened_.push_back(open_shared_memory(handle));
  } else {
    std::rotate(found, found + 1, opened_.end());
  }
  return opened_.back();
}

void SharedMemories::add(SharedMemoryPtr memory) {
  if (!has(memory)) opened_.push_back(std::move(memory));
}

bool SharedMemories::has(const SharedMemoryPtr& memory) const {
  return std::ranges::find(opened_, memory) != opened_.end();
}

void SharedMemories::keep_last(std::size_t count) {
  if (opened_.size() <= count) return;
  opened_.erase(opened_.begin(), opened_.end() - static_cast<std::ptrdiff_t>(count));
}

}  // namespace pools
