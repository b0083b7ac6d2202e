#include "server/key_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/base64.h"
#include "base/format.h"
#include "base/log.h"
#include "store/secret_box.h"

namespace cdc {
namespace {

bool Write(int file, std::string_view text) {
  return write(file, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
         fsync(file) == 0;
}

}  // namespace

std::string KeyFileBeside(const std::string& store) {
  const std::string path = store + ".key";
  if (access(path.c_str(), F_OK) == 0) return path;
  std::string key(32, '\0');
  const auto all = static_cast<ssize_t>(key.size());
  // Under another name first: a process that dies in between leaves no half of a key.
  const std::string fresh = path + ".new";
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  const bool written = file >= 0 && fchmod(file, 0600) == 0 &&
                       getrandom(key.data(), key.size(), 0) == all &&
                       Write(file, Base64(key) + "\n");
  const int why = errno;
  if (file >= 0) close(file);
  if (written && link(fresh.c_str(), path.c_str()) == 0) {
    unlink(fresh.c_str());
    return path;
  }
  unlink(fresh.c_str());
  if (access(path.c_str(), F_OK) == 0) return path;  // another process was faster
  LogWarn("tokens of targets are kept in clear in {}: cannot make {} ({}); set {} to encrypt them",
          store, path, strerror(why), kSecretKeyVariable);
  return "";
}

}  // namespace cdc
