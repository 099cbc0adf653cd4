// What ThreadSanitizer is not to report, in every test.

// boost::lockfree::queue reads the link of a node that another thread may have taken already, then
// finds out, by a tag, and throws away what it read: a race by the letter, and meant.
// std::regex makes libstdc++ fill a table of the locale on first use, each thread with the same
// values and without a lock (GCC bug 77704).
// std::exception_ptr and the texts of standard exceptions are counted references. The counting is in
// libstdc++.so, which is not instrumented: that one thread reads the exception before another one, the
// last owner, frees it is not seen.
// The name is ThreadSanitizer's, which calls it; nobody else does.
extern "C" const char* __tsan_default_suppressions() {  // NOLINT
  return "race:boost::lockfree::queue\n"
         "race:std::ctype<char>::narrow\n"
         "race:std::__exception_ptr::exception_ptr::_M_release\n"
         "race:std::logic_error::~logic_error\n"
         "race:std::runtime_error::~runtime_error\n";
}
