# Run by every build: the commit may have changed since the tree was configured.
execute_process(COMMAND git -C "${source}" describe --always --dirty --abbrev=12 --exclude=*
  OUTPUT_VARIABLE commit OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT commit)
  set(commit "unknown")
endif()
configure_file("${CMAKE_CURRENT_LIST_DIR}/build_info.hpp.in" "${output}" @ONLY)
