#include "client/pulsar/libpulsar.h"

#include <dlfcn.h>

#include <map>
#include <memory>
#include <mutex>

#include "base/format.h"

namespace cdc::libpulsar {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kOwnSymbolsFirst = 0;  // the sanitizers forbid it
#else
// The library carries and exports another protobuf and another OpenSSL than those of this process.
constexpr int kOwnSymbolsFirst = RTLD_DEEPBIND;
#endif

constexpr const char* kGetLastMessageId = "_ZN6pulsar6Reader16getLastMessageIdERNS_9MessageIdE";

constexpr std::string_view kWhereFrom =
    "Sources on Pulsar need Apache's Pulsar client for C++, 3.0 or newer: Apache's Debian package "
    "apache-pulsar-client, or the libpulsar-*.so inside the PyPI package pulsar-client; name its "
    "path in the configuration as sourceConfig.pulsar.library";

Error CannotUse(const std::string& library, std::string_view why) {
  return InvalidError(Format("cannot use {}: {}. {}", library, why, kWhereFrom));
}

Result<std::unique_ptr<Functions>> Find(const std::string& library) {
  void* handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL | kOwnSymbolsFirst);
  if (handle == nullptr) {
    const char* why = dlerror();
    return CannotUse(library, why == nullptr ? "not loadable" : why);
  }
  auto functions = std::make_unique<Functions>();
  const auto find = [&](const char* name, auto* function) {
    *function = reinterpret_cast<std::remove_pointer_t<decltype(function)>>(dlsym(handle, name));
    return *function != nullptr;
  };
#define CDC_FIND(name, result, parameters)               \
  if (!find("pulsar_" #name, &functions->name)) {        \
    return CannotUse(library, "it lacks pulsar_" #name); \
  }
  CDC_LIBPULSAR_FUNCTIONS(CDC_FIND)
#undef CDC_FIND
  if (!find(kGetLastMessageId, &functions->reader_get_last_message_id)) {
    return CannotUse(library, "it lacks pulsar::Reader::getLastMessageId");
  }
  return functions;
}

}  // namespace

Result<const Functions*> Load(const std::string& library) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Functions>>* const loaded =
      new std::map<std::string, std::unique_ptr<Functions>>;
  const std::lock_guard lock(mutex);
  const auto known = loaded->find(library);
  if (known != loaded->end()) return known->second.get();
  CDC_ASSIGN_OR_RETURN(auto functions, Find(library));
  return ((*loaded)[library] = std::move(functions)).get();
}

}  // namespace cdc::libpulsar
