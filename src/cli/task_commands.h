// What the commands of the command line do once their options are read. Each prints what it found
// to the console's `out` and returns what went wrong; nothing here reads the command line or
// throws.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/api_client.h"
#include "cli/console.h"
#include "cli/create_request.h"

namespace cdc {

// Where the server is and how to be let in, as given; empty: not given.
struct ConnectionFlags {
  std::string server;
  std::string token;  // a secret
  std::string token_file;
  std::string ca_file;
  std::string cert_file;
  std::string key_file;
  int timeout_seconds = 60;
};

constexpr const char* kDefaultServer = "http://127.0.0.1:8444";

// What is not given comes from MILVUS_CDC_SERVER and MILVUS_CDC_TOKEN. Sends nothing yet.
Result<ApiClient> Connect(const ConnectionFlags& flags, const Console& console);

// The first of: the value, the first line of the file (if one is named), the environment's
// variable. kInvalid: the file cannot be read or is empty. `option` names it in the message.
Result<std::string> ReadSecret(const std::string& value, const std::string& file,
                               const char* option, const char* variable, const Console& console);

struct CreateCommand {
  CreateFlags flags;
  std::string file;  // the whole request instead of flags; "-": standard input
  bool dry_run = false;
  bool paused = false;
};

class TaskCommands {
 public:
  // Both must outlive this. `json`: print JSON.
  TaskCommands(ApiClient* client, const Console* console, bool json);

  Status Create(const CreateCommand& command);
  // All pages. `state`: only those; empty: all.
  Status List(const std::string& state);
  Status Show(const std::string& id);
  Status Pause(const std::string& id);
  Status Resume(const std::string& id, bool accept_source);
  // Asks on a terminal; elsewhere `yes` is required.
  Status Delete(const std::string& id, bool yes);
  // `to`: as ParseInstant() reads it.
  Status Rewind(const std::string& id, const std::string& to);
  Status Positions(const std::string& id);

 private:
  // POSTs and prints the Task that is answered.
  Status Change(const std::string& path, const std::string& body);
  void Print(const std::string& text);

  ApiClient* client_;
  const Console* console_;
  bool json_;
};

}  // namespace cdc
