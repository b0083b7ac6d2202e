#include "cli/completion.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>
#include <vector>

namespace cdc {
namespace {

// A command: the program itself or one below it.
struct Command {
  std::string path;  // " task create"; empty for the program itself
  const CLI::App* app;
};

std::vector<const CLI::App*> Below(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App* sub) { return !sub->get_name().empty(); });
}

void Collect(const CLI::App& app, const std::string& path, std::vector<Command>* commands) {
  commands->push_back({path, &app});
  for (const CLI::App* sub : Below(app)) Collect(*sub, path + " " + sub->get_name(), commands);
}

std::vector<Command> AllCommands(const CLI::App& app) {
  std::vector<Command> commands;
  Collect(app, "", &commands);
  return commands;
}

std::vector<std::string> NamesOf(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  return names;
}

bool TakesValue(const CLI::Option& option) {
  return option.get_items_expected_max() > 0;
}

bool Repeats(const CLI::Option& option) {
  return option.get_expected_max() >= CLI::detail::expected_max_vector_size;
}

// "TYPE:{a,b,c}" is how an option tells what it takes.
std::string TypeOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(':'));
}

bool TakesFile(const CLI::Option& option) {
  return TypeOf(option) == "FILE";
}

std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t begin = type.find(":{");
  const size_t end = type.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return {};
  return CLI::detail::split(type.substr(begin + 2, end - begin - 2), ',');
}

std::string Joined(const std::vector<std::string>& words, std::string_view between) {
  std::string text;
  for (const std::string& word : words) {
    if (&word != &words.front()) text += between;
    text += word;
  }
  return text;
}

// --- bash
// -----------------------------------------------------------------------------------------

// What may follow the words of a case statement, by the words.
class BashCase {
 public:
  void Add(const std::string& pattern) { patterns_.push_back("\"" + pattern + "\""); }
  // Empty where there is no pattern.
  std::string Text(const std::string& action) const {
    if (patterns_.empty()) return "";
    return "    " + Joined(patterns_, " | ") + ") " + action + " ;;\n";
  }

 private:
  std::vector<std::string> patterns_;
};

// What a value may be, by the option before it.
std::string BashValues(const std::vector<Command>& commands) {
  std::string text;
  BashCase files, unknown;
  for (const Command& command : commands) {
    for (const CLI::Option* option : command.app->get_options()) {
      if (!TakesValue(*option)) continue;
      const std::vector<std::string> choices = ChoicesOf(*option);
      BashCase known;
      for (const std::string& name : NamesOf(*option)) {
        BashCase& kind = !choices.empty() ? known : TakesFile(*option) ? files : unknown;
        kind.Add(command.path + " " + name);
      }
      text += known.Text("words=\"" + Joined(choices, " ") + "\"");
    }
  }
  return text + files.Text("mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return") +
         unknown.Text("return");
}

// What may stand where no value is wanted, by command.
std::string BashWords(const std::vector<Command>& commands) {
  std::string text;
  for (const Command& command : commands) {
    std::vector<std::string> options, words;
    for (const CLI::App* sub : Below(*command.app)) words.push_back(sub->get_name());
    for (const CLI::Option* option : command.app->get_options()) {
      for (const std::string& name : NamesOf(*option)) options.push_back(name);
      if (option->nonpositional()) continue;
      for (const std::string& choice : ChoicesOf(*option)) words.push_back(choice);
    }
    text += "        \"" + command.path + "\")\n          words=\"" + Joined(words, " ") +
            "\"\n          options=\"" + Joined(options, " ") + "\"\n          ;;\n";
  }
  return text;
}

// --- zsh
// ------------------------------------------------------------------------------------------

// Within single quotes of the shell; of a specification of _arguments if `escaped` are its marks.
std::string Quoted(std::string_view text, std::string_view escaped) {
  std::string quoted;
  for (const char c : text) {
    if (c == '\'') {
      quoted += "'\\''";
      continue;
    }
    if (escaped.find(c) != std::string_view::npos) quoted += '\\';
    quoted += c;
  }
  return quoted;
}

std::string ZshValue(const CLI::Option& option) {
  std::string text = ":" + Quoted(TypeOf(option), ":\\") + ":";
  const std::vector<std::string> choices = ChoicesOf(option);
  if (!choices.empty()) return text + "(" + Joined(choices, " ") + ")";
  return text + (TakesFile(option) ? "_files" : " ");
}

// One argument of _arguments.
std::string ZshOption(const CLI::Option& option) {
  if (!option.nonpositional()) return "'1" + ZshValue(option) + "'";
  const std::vector<std::string> names = NamesOf(option);
  const std::string about = "[" + Quoted(option.get_description(), "[]\\") + "]" +
                            (TakesValue(option) ? ZshValue(option) : "");
  if (Repeats(option)) return "'*" + names.front() + about + "'";
  if (names.size() == 1) return "'" + names.front() + about + "'";
  return "'(" + Joined(names, " ") + ")'{" + Joined(names, ",") + "}'" + about + "'";
}

std::string ZshFunctionName(const CLI::App& program, const std::string& path) {
  std::string name = "_" + program.get_name() + path;
  std::replace(name.begin(), name.end(), ' ', '-');
  return name;
}

// The function of a command with commands below it hands what follows them to theirs.
std::string ZshFunction(const CLI::App& program, const Command& command) {
  const std::vector<const CLI::App*> below = Below(*command.app);
  std::vector<std::string> arguments;
  for (const CLI::Option* option : command.app->get_options()) {
    arguments.push_back(ZshOption(*option));
  }
  if (!below.empty()) {
    arguments.push_back("'1: :->command'");
    arguments.push_back("'*:: :->rest'");
  }
  std::string text = ZshFunctionName(program, command.path) + "() {\n";
  text += "  local curcontext=\"$curcontext\" state line\n  typeset -A opt_args\n";
  text += "  _arguments -C \\\n    " + Joined(arguments, " \\\n    ") + "\n";
  if (!below.empty()) {
    std::string described, called;
    for (const CLI::App* sub : below) {
      described +=
          "        '" + sub->get_name() + ":" + Quoted(sub->get_description(), "\\") + "'\n";
      called += "        " + sub->get_name() + ") " +
                ZshFunctionName(program, command.path + " " + sub->get_name()) + " ;;\n";
    }
    text += "  case $state in\n    command)\n      local -a commands=(\n" + described +
            "      )\n      _describe -t commands command commands\n      ;;\n";
    text += "    rest)\n      case $line[1] in\n" + called + "      esac\n      ;;\n  esac\n";
  }
  return text + "}\n";
}

}  // namespace

std::string BashCompletion(const CLI::App& app) {
  const std::vector<Command> commands = AllCommands(app);
  std::string function = "_" + app.get_name();
  std::replace(function.begin(), function.end(), '-', '_');
  BashCase known;
  for (const Command& command : commands) {
    if (!command.path.empty()) known.Add(command.path);
  }
  std::string text = "# bash completion of " + app.get_name() + ", printed by: " + app.get_name() +
                     " completion bash\n";
  text += function + R"(() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  local command="" words="" options="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command ${COMP_WORDS[i]}" in
  )" + known.Text("command=\"$command ${COMP_WORDS[i]}\"") +
          R"(    esac
  done
  COMPREPLY=()
  case "$command $prev" in
)" + BashValues(commands) +
          R"(    *)
      case "$command" in
)" + BashWords(commands) +
          R"(      esac
      if [[ $cur == -* ]]; then words=$options; fi
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
)";
  return text + "complete -F " + function + " " + app.get_name() + "\n";
}

std::string ZshCompletion(const CLI::App& app) {
  const std::string name = app.get_name();
  std::string text = "#compdef " + name + "\n# zsh completion of " + name +
                     ", printed by: " + name + " completion zsh\n";
  for (const Command& command : AllCommands(app)) text += ZshFunction(app, command);
  const std::string function = ZshFunctionName(app, "");
  return text + "# Loaded through $fpath this file is the function; otherwise it is sourced.\n" +
         "if [[ ${funcstack[1]} == " + function + " ]]; then\n  " + function +
         " \"$@\"\nelse\n  compdef " + function + " " + name + "\nfi\n";
}

}  // namespace cdc
