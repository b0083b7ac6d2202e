#include "server/key_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/base64.h"
#include "base/format.h"
#include "base/log.h"
#include "store/secret_box.h"

namespace cdc {
namespace {

Result<std::string> ReadKey(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  std::array<char, 256> text{};
  const ssize_t size = file < 0 ? -1 : read(file, text.data(), text.size());
  const int why = errno;
  if (file >= 0) close(file);
  if (size < 0) {
    return InvalidError(
        Format("cannot read {}, the key of the tokens in the store: {}", path, strerror(why)));
  }
  std::string key(text.data(), static_cast<size_t>(size));
  while (!key.empty() && (key.back() == '\n' || key.back() == ' ')) key.pop_back();
  if (key.empty()) {
    return InvalidError(
        Format("{}, the key of the tokens in the store, is empty: put it back, or "
               "delete it, the store and with it all tasks",
               path));
  }
  return key;
}

bool Write(int file, std::string_view text) {
  return write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
         fsync(file) == 0;
}

}  // namespace

Result<std::string> KeyBeside(const std::string& store) {
  const std::string path = store + ".key";
  if (access(path.c_str(), F_OK) == 0) return ReadKey(path);
  std::string key(32, '\0');
  if (getrandom(key.data(), key.size(), 0) != static_cast<ssize_t>(key.size()))
    return std::string();
  key = Base64(key);
  // Under another name first: a process that dies in between leaves no half of a key.
  const std::string fresh = path + ".new";
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written = file >= 0 && fchmod(file, 0600) == 0 && Write(file, key + "\n");
  const int why = errno;
  if (file >= 0) close(file);
  if (written && link(fresh.c_str(), path.c_str()) == 0) {
    unlink(fresh.c_str());
    return key;
  }
  unlink(fresh.c_str());
  if (access(path.c_str(), F_OK) == 0) return ReadKey(path);  // another process was faster
  LogWarn("tokens of targets are kept in clear in {}: cannot make {} ({}); set {} to encrypt them",
          store, path, strerror(why), kSecretKeyVariable);
  return std::string();
}

}  // namespace cdc
