// Memory of one process that another one opens, without a socket between them: the owner says which
// of its descriptors it is, and the other finds that in /proc/PID/fd (proc(5)).
#pragma once

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace pools {

// Says so much of the memory that no other can be taken for it, should the owner have closed it.
struct SharedMemoryHandle {
  pid_t owner;  // who made it
  int descriptor;
  dev_t device;
  ino_t inode;

  friend bool operator==(const SharedMemoryHandle&, const SharedMemoryHandle&) = default;
};

class SharedMemory;
using SharedMemoryPtr = std::shared_ptr<const SharedMemory>;

// Of zeros. Throws std::system_error when there is no memory.
SharedMemoryPtr make_shared_memory(std::size_t bytes);
// Throws std::runtime_error when the memory is gone, or could still shrink; std::system_error when
// it cannot be mapped.
SharedMemoryPtr open_shared_memory(const SharedMemoryHandle& handle);

[[nodiscard]] const SharedMemoryHandle& handle_of(const SharedMemory& memory);
[[nodiscard]] std::byte* data_of(const SharedMemory& memory);
[[nodiscard]] std::size_t size_of(const SharedMemory& memory);

// What a process has open of others' memory, or for others: as long as it is here, it is found
// without a system call. Belongs to one thread at a time.
class SharedMemories {
 public:
  // What is here, or what open_shared_memory() gives.
  SharedMemoryPtr open(const SharedMemoryHandle& handle);
  void add(SharedMemoryPtr memory);
  [[nodiscard]] bool has(const SharedMemoryPtr& memory) const;
  [[nodiscard]] bool empty() const { return opened_.empty(); }
  // Forgets all but those that were opened or found last.
  void keep_last(std::size_t count);

 private:
  std::vector<SharedMemoryPtr> opened_;  // the last one at the end
};

}  // namespace pools
