#pragma once
// A shared library that is looked for when it is first needed, so that a program starts, and runs on the CPU, where it
// is missing.

#include <initializer_list>
#include <string>

namespace glimpse {

class DynamicLibrary {
 public:
  /// Takes the first of `names` that loads: each as it is, then in the folders of the CUDA toolkit ($CUDA_PATH/lib64,
  /// $CUDA_HOME/lib64, /usr/local/cuda/lib64). Never throws. The library stays loaded until the program ends: what came
  /// from it may be used by destructors of static objects.
  explicit DynamicLibrary(std::initializer_list<const char*> names);

  bool loaded() const { return handle_ != nullptr; }
  /// "libcudnn.so.9: REASON; libcudnn.so: REASON". Empty when loaded().
  const std::string& why_not() const { return why_not_; }
  /// The name, or path, under which it was found.
  const std::string& name() const { return name_; }

  /// The function of this name, F being a pointer to its type. Throws Error naming library and symbol where there is
  /// none, and with why_not() where the library is not loaded.
  template <class F>
  F symbol(const char* symbol_name) const {
    return reinterpret_cast<F>(address(symbol_name));
  }

 private:
  void* address(const char* symbol_name) const;

  void* handle_ = nullptr;
  std::string name_, why_not_;
};

}  // namespace glimpse
