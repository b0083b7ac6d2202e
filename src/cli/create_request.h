// The body of a create request, from the flags of `task create` or from a file. Pure functions.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace cdc {

struct CreateFlags {
  std::string target_uri;
  std::string target_token;              // a secret
  std::string mode;                      // empty: the server's default, as with load and drops
  std::vector<std::string> collections;  // db.name, or a name in the database 'default'; patterns
  std::vector<std::string> databases;    // whole ones; patterns
  std::vector<std::string> excludes;     // as collections
  std::vector<std::string> mappings;     // db=db or db.name=db.name
  std::string task_id;
  std::string load;
  std::string drops;
  bool adopt = false;
  bool no_auto_start = false;
};

// JSON text. kInvalid, naming the flag: what to copy or where to is missing, or a name has another
// form. The server checks the rest.
Result<std::string> CreateBody(const CreateFlags& flags);

// `text` is the request_data of a create request, or a whole create request as POST /cdc takes it;
// returns the former. kInvalid: it is neither; the message holds nothing of the text.
Result<std::string> CreateBodyOf(const std::string& text);

}  // namespace cdc
