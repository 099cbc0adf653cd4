// A library that code_test loads while it runs.

extern "C" int plugin_triple(int x) {
  return x * 3;
}
