#include "cli/commands.h"

#include <CLI/CLI.hpp>
#include <map>
#include <ostream>
#include <vector>

#include "base/format.h"
#include "cli/completion.h"
#include "cli/table.h"
#include "cli/task_commands.h"
#include "cli/watch.h"

namespace cdc {
namespace {

constexpr const char* kStates[] = {"running", "warning", "paused", "failed"};
constexpr const char* kConnectionGroup = "Connection";

CLI::IsMember OneOf(std::vector<std::string> words) {
  return CLI::IsMember(std::move(words));
}

// One value for each time it is given, or several with commas.
CLI::Option* AddListOption(CLI::App* app, const char* name, std::vector<std::string>* values,
                           const char* type, const char* description) {
  return app->add_option(name, *values, description)
      ->type_name(type)
      ->delimiter(',')
      ->allow_extra_args(false);
}

std::map<std::string, WatchGoal> Goals() {
  return {{"caught-up", WatchGoal::kCaughtUp},
          {"paused", WatchGoal::kPaused},
          {"failed", WatchGoal::kFailed}};
}

}  // namespace

class Commands::Impl {
 public:
  Impl(CLI::App* root, Console console) : root_(root), console_(std::move(console)) {
    AddConnection(root);
    CLI::App* task = root->add_subcommand("task", "Tasks of a running server");
    task->require_subcommand(1);
    AddConnection(task);
    task->footer(
        "Each command has a --help of its own. Example:\n  milvus-cdc task list --server "
        "http://127.0.0.1:8444");
    AddCreate(task);
    AddList(task);
    AddOfOneTask(task);
    AddWatch(task);
    AddPosition(root);
    AddCompletion(root);
  }

  std::optional<int> Run() {
    if (chosen_ == nullptr) return std::nullopt;
    const Status status = (this->*chosen_)();
    if (status.ok()) return static_cast<int>(ExitCode::kOk);
    *console_.err << "milvus-cdc: " << Printable(status.error().message) << std::endl;
    return static_cast<int>(ExitCodeOf(status.error()));
  }

 private:
  using Action = Status (Impl::*)();

  // A command without commands below it.
  CLI::App* AddLeaf(CLI::App* parent, const char* name, const char* description,
                    const std::string& example, Action action) {
    CLI::App* leaf = parent->add_subcommand(name, description);
    leaf->footer("Example:\n  " + example);
    leaf->callback([this, action] { chosen_ = action; });
    return leaf;
  }

  // The same for a command that asks a server.
  CLI::App* AddRemoteLeaf(CLI::App* parent, const char* name, const char* description,
                          const std::string& example, Action action) {
    CLI::App* leaf = AddLeaf(parent, name, description, example, action);
    leaf->add_flag("--json", json_, "Print JSON, as the server answers it");
    AddConnection(leaf);
    return leaf;
  }

  // It may stand before a command and behind it: the last one counts.
  void AddConnection(CLI::App* app) {
    const auto add = [&](const char* name, std::string* value, const char* type,
                         const char* description) {
      app->add_option(name, *value, description)->type_name(type)->group(kConnectionGroup);
    };
    add("--server", &connection_.server, "URL",
        "The server's address (http://127.0.0.1:8444; Env: MILVUS_CDC_SERVER)");
    add("--token", &connection_.token, "TOKEN",
        "Token of the server's API; others on this host can see it (Env: MILVUS_CDC_TOKEN)");
    add("--token-file", &connection_.token_file, "FILE", "File whose first line is that token");
    add("--ca-file", &connection_.ca_file, "FILE",
        "Authority that signed the server's certificate, PEM (those of the system)");
    add("--cert", &connection_.cert_file, "FILE", "Certificate of this client, PEM");
    add("--key", &connection_.key_file, "FILE", "Key of that certificate, PEM");
    app->add_option("--timeout", connection_.timeout_seconds, "Seconds to wait for an answer (60)")
        ->type_name("SECONDS")
        ->check(CLI::Range(1, 86400))
        ->group(kConnectionGroup);
  }

  void AddTaskId(CLI::App* leaf) {
    leaf->add_option("id", task_id_, "The task")->type_name("TASK_ID")->required();
  }

  void AddCreate(CLI::App* task) {
    CLI::App* leaf =
        AddRemoteLeaf(task, "create", "Create a task and start it",
                      "milvus-cdc task create --target-uri http://10.0.0.2:19530 "
                      "--target-token-file token.txt \\\n"
                      "      --collections shop.orders,shop.item_* --name-mapping shop=shop_copy\n"
                      "  milvus-cdc task create --file request.json --dry-run",
                      &Impl::Create);
    CreateFlags& f = create_.flags;
    const auto add = [&](const char* name, std::string* value, const char* type,
                         const char* description) {
      CLI::Option* option = leaf->add_option(name, *value, description)->type_name(type);
      of_request_.push_back(option);
      return option;
    };
    add("--target-uri", &f.target_uri, "URL", "The target Milvus, as http://10.0.0.2:19530");
    add("--target-token", &f.target_token, "TOKEN",
        "user:password or API key of the target; others on this host can see it "
        "(Env: MILVUS_CDC_TARGET_TOKEN)");
    add("--target-token-file", &target_token_file_, "FILE", "File whose first line is that token");
    of_request_.push_back(
        AddListOption(leaf, "--collections", &f.collections, "DB.NAME,...",
                      "What to copy; patterns with *; a name alone is in the database 'default'"));
    of_request_.push_back(AddListOption(leaf, "--databases", &f.databases, "DB,...",
                                        "Databases to copy whole; patterns"));
    of_request_.push_back(AddListOption(leaf, "--exclude", &f.excludes, "DB.NAME,...",
                                        "What to leave out of that; patterns"));
    of_request_.push_back(
        AddListOption(leaf, "--name-mapping", &f.mappings, "DB[.NAME]=DB[.NAME],...",
                      "Other names on the target, as shop=copy or shop.a=copy.b"));
    add("--mode", &f.mode, "MODE", "How rows are written (auto: asks the target)")
        ->check(OneOf({"auto", "replicate", "api"}));
    add("--task-id", &f.task_id, "ID", "Name of the task (one is made)");
    add("--load", &f.load, "POLICY", "Does the target follow load and release (follow)")
        ->check(OneOf({"follow", "once", "never"}));
    add("--drops", &f.drops, "POLICY", "Are objects dropped on the target, too (replicate)")
        ->check(OneOf({"replicate", "hold"}));
    of_request_.push_back(
        leaf->add_flag("--adopt", f.adopt, "Take over collections that are on the target already"));
    of_request_.push_back(leaf->add_flag("--no-auto-start", f.no_auto_start,
                                         "A restart of the server leaves the task paused"));
    leaf->add_flag("--paused", create_.paused,
                   "Pause it at once; it begins where it was created when it is resumed");
    leaf->add_flag("--dry-run", create_.dry_run, "Check, print what would be made, store nothing");
    leaf->add_option("--file", create_.file,
                     "The whole request as JSON instead of these options; -: standard input")
        ->type_name("FILE");
  }

  void AddList(CLI::App* task) {
    CLI::App* leaf = AddRemoteLeaf(task, "list", "List the tasks, oldest first",
                                   "milvus-cdc task list --state failed", &Impl::List);
    leaf->add_option("--state", state_, "Only those in this state")
        ->type_name("STATE")
        ->check(OneOf({std::begin(kStates), std::end(kStates)}));
  }

  void AddOfOneTask(CLI::App* task) {
    AddTaskId(AddRemoteLeaf(task, "show",
                            "Show a task with its collections, progress and last changes",
                            "milvus-cdc task show orders", &Impl::Show));
    AddTaskId(AddRemoteLeaf(task, "pause", "Stop a task and keep its position",
                            "milvus-cdc task pause orders", &Impl::Pause));
    CLI::App* resume = AddRemoteLeaf(task, "resume", "Go on where a task was paused or failed",
                                     "milvus-cdc task resume orders", &Impl::Resume);
    AddTaskId(resume);
    resume->add_flag("--accept-source", accept_source_,
                     "The source's etcd is another one than before, and it is the right one");
    CLI::App* remove =
        AddRemoteLeaf(task, "delete", "Delete a task; what it has copied stays on the target",
                      "milvus-cdc task delete orders --yes", &Impl::Delete);
    AddTaskId(remove);
    remove->add_flag("-y,--yes", yes_, "Do not ask; required where there is no terminal");
    CLI::App* rewind =
        AddRemoteLeaf(task, "rewind",
                      "Set a paused task back in time; what was written since is copied once more",
                      "milvus-cdc task rewind orders --to 2026-05-09T07:30:00Z", &Impl::Rewind);
    AddTaskId(rewind);
    rewind
        ->add_option("--to", rewind_to_,
                     "Time of the source's clock: 2026-05-09T07:30:00Z or Unix milliseconds")
        ->type_name("TIME")
        ->required();
  }

  void AddWatch(CLI::App* task) {
    CLI::App* leaf =
        AddRemoteLeaf(task, "watch", "Show state, lag and rows per second of a task, until Ctrl-C",
                      "milvus-cdc task watch orders --until caught-up", &Impl::Watch);
    AddTaskId(leaf);
    std::vector<std::string> goals;
    for (const auto& [name, goal] : Goals()) goals.push_back(name);
    leaf->add_option("--until", until_,
                     "End when it is so; caught-up: all of before now is readable on the target")
        ->type_name("GOAL")
        ->check(OneOf(goals));
  }

  void AddPosition(CLI::App* root) {
    AddTaskId(AddRemoteLeaf(root, "position", "Show from where a task would read on",
                            "milvus-cdc position orders", &Impl::Position));
  }

  void AddCompletion(CLI::App* root) {
    CLI::App* leaf = AddLeaf(root, "completion", "Print the completion script of a shell",
                             "source <(milvus-cdc completion bash)", &Impl::Completion);
    leaf->add_option("shell", shell_, "The shell")
        ->type_name("SHELL")
        ->check(OneOf({"bash", "zsh"}))
        ->required();
  }

  // --- what the commands do ---------------------------------------------------------------------

  // Connects and calls one of TaskCommands.
  template <typename Call>
  Status WithServer(Call call) {
    CDC_ASSIGN_OR_RETURN(ApiClient client, Connect(connection_, console_));
    TaskCommands commands(&client, &console_, json_);
    return call(commands);
  }

  Status Create() {
    CDC_RETURN_IF_ERROR(CheckFileAlone());
    if (create_.file.empty()) {
      CDC_ASSIGN_OR_RETURN(create_.flags.target_token,
                           ReadSecret(create_.flags.target_token, target_token_file_,
                                      "--target-token-file", "MILVUS_CDC_TARGET_TOKEN", console_));
    }
    return WithServer([this](TaskCommands& c) { return c.Create(create_); });
  }

  // --file is the whole request: what else describes one has no place beside it.
  Status CheckFileAlone() const {
    if (create_.file.empty()) return OkStatus();
    for (const CLI::Option* option : of_request_) {
      if (option->count() == 0) continue;
      return InvalidError(
          Format("--file is the whole request: put what {} says into it", option->get_name()));
    }
    return OkStatus();
  }

  Status List() {
    return WithServer([this](TaskCommands& c) { return c.List(state_); });
  }
  Status Show() {
    return WithServer([this](TaskCommands& c) { return c.Show(task_id_); });
  }
  Status Pause() {
    return WithServer([this](TaskCommands& c) { return c.Pause(task_id_); });
  }
  Status Resume() {
    return WithServer([this](TaskCommands& c) { return c.Resume(task_id_, accept_source_); });
  }
  Status Delete() {
    return WithServer([this](TaskCommands& c) { return c.Delete(task_id_, yes_); });
  }
  Status Rewind() {
    return WithServer([this](TaskCommands& c) { return c.Rewind(task_id_, rewind_to_); });
  }
  Status Position() {
    return WithServer([this](TaskCommands& c) { return c.Positions(task_id_); });
  }

  Status Watch() {
    CDC_ASSIGN_OR_RETURN(ApiClient client, Connect(connection_, console_));
    WatchOptions options{task_id_, WatchGoal::kNone, json_};
    if (!until_.empty()) options.goal = Goals().at(until_);
    return WatchTask(options, &client, console_);
  }

  Status Completion() {
    *console_.out << (shell_ == "bash" ? BashCompletion(*root_) : ZshCompletion(*root_))
                  << std::flush;
    return OkStatus();
  }

  CLI::App* root_;
  Console console_;
  Action chosen_ = nullptr;
  ConnectionFlags connection_;
  CreateCommand create_;
  std::vector<CLI::Option*> of_request_;  // of `task create`: what --file replaces
  std::string target_token_file_;
  std::string task_id_, state_, rewind_to_, until_, shell_;
  bool json_ = false, yes_ = false, accept_source_ = false;
};

Commands::Commands(CLI::App* app, Console console)
    : impl_(std::make_unique<Impl>(app, std::move(console))) {}

Commands::~Commands() = default;

std::optional<int> Commands::Run() {
  return impl_->Run();
}

}  // namespace cdc
