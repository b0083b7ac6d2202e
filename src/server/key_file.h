// The key of a SQLite store for which nobody gave one: a file beside it, `<store>.key`, which only
// its owner can read. Whoever gets the store alone, a backup of it say, does not get the tokens.
#pragma once

#include <string>

namespace cdc {

// Its path; the file is made if there is none. Empty: it cannot be made there, which is logged.
// Blocks on the file system and the system's source of randomness.
std::string KeyFileBeside(const std::string& store);

}  // namespace cdc
