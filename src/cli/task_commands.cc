#include "cli/task_commands.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/json_text.h"
#include "base/percent.h"
#include "cli/table.h"
#include "cli/task_text.h"
#include "cli/time_text.h"

namespace cdc {
namespace {

using nlohmann::json;

constexpr const char* kTasks = "/api/v1/tasks";
constexpr int kCreated = 201;

Result<std::string> ReadRequest(const std::string& file, const Console& console) {
  if (file == "-") return std::string(std::istreambuf_iterator<char>(*console.in), {});
  std::ifstream input(file, std::ios::binary);
  if (!input) return InvalidError(Format("--file: cannot read '{}'", file));
  return std::string(std::istreambuf_iterator<char>(input), {});
}

Status Confirm(const std::string& id, const Console& console) {
  if (!console.in_is_terminal) {
    return InvalidError("nobody can be asked whether to delete it: say so with --yes");
  }
  *console.err << Printable(Format(
                      "Delete task {}? It stops and its position is lost; what it has copied "
                      "stays on the target. [y/N] ",
                      id))
               << std::flush;
  std::string answer;
  std::getline(*console.in, answer);
  if (answer == "y" || answer == "Y" || answer == "yes") return OkStatus();
  return FatalError("nothing was deleted");
}

}  // namespace

Result<std::string> ReadSecret(const std::string& value, const std::string& file,
                               const char* option, const char* variable, const Console& console) {
  if (!value.empty()) return value;
  if (file.empty()) return console.environment(variable);
  std::ifstream input(file);
  std::string line;
  if (!input) return InvalidError(Format("{}: cannot read '{}'", option, file));
  std::getline(input, line);
  line.erase(line.find_last_not_of(" \t\r") + 1);
  if (line.empty())
    return InvalidError(Format("{}: the first line of '{}' is empty", option, file));
  return line;
}

Result<ApiClient> Connect(const ConnectionFlags& flags, const Console& console) {
  RemoteOptions options;
  options.server = flags.server.empty() ? console.environment("MILVUS_CDC_SERVER") : flags.server;
  if (options.server.empty()) options.server = kDefaultServer;
  CDC_ASSIGN_OR_RETURN(options.token, ReadSecret(flags.token, flags.token_file, "--token-file",
                                                 "MILVUS_CDC_TOKEN", console));
  options.ca_file = flags.ca_file;
  options.cert_file = flags.cert_file;
  options.key_file = flags.key_file;
  options.timeout_seconds = flags.timeout_seconds;
  const bool has_token = !options.token.empty();
  CDC_ASSIGN_OR_RETURN(std::unique_ptr<Transport> transport, console.connect(options));
  return ApiClient(std::move(transport), has_token);
}

TaskCommands::TaskCommands(ApiClient* client, const Console* console, bool json)
    : client_(client), console_(console), json_(json) {}

void TaskCommands::Print(const std::string& text) {
  *console_->out << text << std::flush;
}

Status TaskCommands::Change(const std::string& path, const std::string& body) {
  CDC_ASSIGN_OR_RETURN(const json task, client_->Post(path, body));
  Print((json_ ? JsonBlock(task) : TaskOutcome(task)) + "\n");
  return OkStatus();
}

Status TaskCommands::Create(const CreateCommand& command) {
  std::string body;
  if (command.file.empty()) {
    CDC_ASSIGN_OR_RETURN(body, CreateBody(command.flags));
  } else {
    CDC_ASSIGN_OR_RETURN(const std::string text, ReadRequest(command.file, *console_));
    CDC_ASSIGN_OR_RETURN(body, CreateBodyOf(text));
  }
  int status = 0;
  CDC_ASSIGN_OR_RETURN(
      json answer,
      client_->Post(std::string(kTasks) + (command.dry_run ? "?dry_run=true" : ""), body, &status));
  if (command.dry_run) {
    Print(json_ ? JsonBlock(answer) + "\n" : PlanText(Member(answer, {"task"})));
    return OkStatus();
  }
  const bool created = status == kCreated;
  if (created && command.paused) {
    const json& id = Member(answer, {"id"});
    Result<json> paused =
        client_->Post(TaskPath(id.is_string() ? id.get<std::string>() : "", "/pause"));
    if (!paused.ok()) {
      return paused.error().Prefixed(TaskOutcome(answer) + ", but could not be paused");
    }
    answer = *std::move(paused);
  }
  if (json_) {
    Print(JsonBlock(answer) + "\n");
  } else {
    Print(TaskOutcome(answer) + (created ? "\n" : "; it was there before and stays as it is\n"));
  }
  return OkStatus();
}

Status TaskCommands::List(const std::string& state) {
  json tasks = json::array();
  std::string after;
  do {
    std::string path = std::string(kTasks) + "?limit=1000";
    if (!state.empty()) path += "&state=" + PercentEncode(state);
    if (!after.empty()) path += "&after=" + PercentEncode(after);
    CDC_ASSIGN_OR_RETURN(const json page, client_->Get(path));
    const json& found = Member(page, {"tasks"});
    if (found.is_array()) tasks.insert(tasks.end(), found.begin(), found.end());
    const json& next = Member(page, {"next"});
    const std::string before = after;
    after = next.is_string() ? next.get<std::string>() : "";
    if (!after.empty() && after == before) return FatalError("the server repeats a page of tasks");
  } while (!after.empty());
  Print(json_ ? JsonBlock({{"tasks", std::move(tasks)}}) + "\n"
              : TaskListText(tasks, console_->width));
  return OkStatus();
}

Status TaskCommands::Show(const std::string& id) {
  CDC_ASSIGN_OR_RETURN(const json task, client_->Get(TaskPath(id)));
  Print(json_ ? JsonBlock(task) + "\n" : TaskText(task, console_->clock->WallMillis()));
  return OkStatus();
}

Status TaskCommands::Pause(const std::string& id) {
  return Change(TaskPath(id, "/pause"), "");
}

Status TaskCommands::Resume(const std::string& id, bool accept_source) {
  return Change(TaskPath(id, "/resume"), accept_source ? R"({"accept_source":true})" : "");
}

Status TaskCommands::Delete(const std::string& id, bool yes) {
  if (!yes) CDC_RETURN_IF_ERROR(Confirm(id, *console_));
  CDC_ASSIGN_OR_RETURN(const json nothing, client_->Delete(TaskPath(id)));
  Print(json_
            ? JsonBlock({{"id", id}, {"deleted", true}}) + "\n"
            : Printable(Format("task {} is deleted; what it has copied stays on the target", id)) +
                  "\n");
  return OkStatus();
}

Status TaskCommands::Rewind(const std::string& id, const std::string& to) {
  CDC_ASSIGN_OR_RETURN(const int64_t to_ms, ParseInstant(to));
  return Change(TaskPath(id, "/rewind"), JsonLine({{"to_ms", to_ms}}));
}

Status TaskCommands::Positions(const std::string& id) {
  CDC_ASSIGN_OR_RETURN(const json answer, client_->Get(TaskPath(id, "/positions")));
  Print(json_ ? JsonBlock(answer) + "\n" : PositionsText(answer));
  return OkStatus();
}

}  // namespace cdc
