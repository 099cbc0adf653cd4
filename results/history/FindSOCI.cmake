# SOCI with its backends for SQLite and PostgreSQL. Debian's libsoci-dev brings no CMake package, and
# the headers of the backends include those of sqlite3 and libpq.
# Defines SOCI::SOCI; its headers count as the system's.
include(FindPackageHandleStandardArgs)
find_package(SQLite3 REQUIRED)
find_path(SOCI_INCLUDE_DIR soci/soci.h)
find_path(SOCI_LIBPQ_INCLUDE_DIR libpq-fe.h PATH_SUFFIXES postgresql)
foreach(part IN ITEMS core sqlite3 postgresql)
  find_library(SOCI_${part}_LIBRARY soci_${part})
  list(APPEND SOCI_LIBRARIES ${SOCI_${part}_LIBRARY})
endforeach()
find_package_handle_standard_args(SOCI
  REQUIRED_VARS SOCI_INCLUDE_DIR SOCI_LIBPQ_INCLUDE_DIR
                SOCI_core_LIBRARY SOCI_sqlite3_LIBRARY SOCI_postgresql_LIBRARY)

if(SOCI_FOUND AND NOT TARGET SOCI::SOCI)
  add_library(SOCI::SOCI INTERFACE IMPORTED GLOBAL)
  target_include_directories(SOCI::SOCI SYSTEM INTERFACE
    ${SOCI_INCLUDE_DIR} ${SOCI_INCLUDE_DIR}/soci ${SOCI_LIBPQ_INCLUDE_DIR}
    ${SQLite3_INCLUDE_DIRS})
  target_link_libraries(SOCI::SOCI INTERFACE ${SOCI_LIBRARIES} ${SQLite3_LIBRARIES})
endif()
