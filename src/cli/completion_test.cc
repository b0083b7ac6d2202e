// The scripts as they were tried in bash 5.2 and zsh 5.9; what a shell makes of ours is tested with
// the program itself (tests/integration/test_cli.py).
#include "cli/completion.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

#include "cli/program_test.h"

namespace cdc {
namespace {

// Every kind of command and option once.
struct Demo {
  Demo() {
    app.name("de-mo");
    app.add_option("--server", text, "The server's [address] (http://a:1)")->type_name("URL");
    CLI::App* task = app.add_subcommand("task", "Tasks");
    CLI::App* create = task->add_subcommand("create", "Create one");
    create->add_option("--mode", text, "How")
        ->type_name("MODE")
        ->check(CLI::IsMember(std::vector<std::string>{"fast", "slow"}));
    create->add_option("-f,--file", text, "The request")->type_name("FILE");
    create->add_option("--names", list, "Names")
        ->type_name("DB.NAME,...")
        ->delimiter(',')
        ->allow_extra_args(false);
    create->add_flag("--yes", flag, "Do not ask");
    app.add_subcommand("shell", "A shell")
        ->add_option("shell", text, "Which")
        ->type_name("SHELL")
        ->check(CLI::IsMember(std::vector<std::string>{"bash", "zsh"}));
  }

  CLI::App app;
  std::string text;
  std::vector<std::string> list;
  bool flag = false;
};

TEST(CompletionTest, Bash) {
  EXPECT_EQ(BashCompletion(Demo().app),
            R"script(# bash completion of de-mo, printed by: de-mo completion bash
_de_mo() {
  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
  local command="" words="" options="" i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$command ${COMP_WORDS[i]}" in
      " task" | " task create" | " shell") command="$command ${COMP_WORDS[i]}" ;;
    esac
  done
  COMPREPLY=()
  case "$command $prev" in
    " task create --mode") words="fast slow" ;;
    " task create -f" | " task create --file") mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    " --server" | " task create --names") return ;;
    *)
      case "$command" in
        "")
          words="task shell"
          options="-h --help --server"
          ;;
        " task")
          words="create"
          options="-h --help"
          ;;
        " task create")
          words=""
          options="-h --help --mode -f --file --names --yes"
          ;;
        " shell")
          words="bash zsh"
          options="-h --help"
          ;;
      esac
      if [[ $cur == -* ]]; then words=$options; fi
      ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
}
complete -F _de_mo de-mo
)script");
}

TEST(CompletionTest, Zsh) {
  EXPECT_EQ(ZshCompletion(Demo().app), R"script(#compdef de-mo
# zsh completion of de-mo, printed by: de-mo completion zsh
_de-mo() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  _arguments -C \
    '(-h --help)'{-h,--help}'[Print this help message and exit]' \
    '--server[The server'\''s \[address\] (http://a:1)]:URL: ' \
    '1: :->command' \
    '*:: :->rest'
  case $state in
    command)
      local -a commands=(
        'task:Tasks'
        'shell:A shell'
      )
      _describe -t commands command commands
      ;;
    rest)
      case $line[1] in
        task) _de-mo-task ;;
        shell) _de-mo-shell ;;
      esac
      ;;
  esac
}
_de-mo-task() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  _arguments -C \
    '(-h --help)'{-h,--help}'[Print this help message and exit]' \
    '1: :->command' \
    '*:: :->rest'
  case $state in
    command)
      local -a commands=(
        'create:Create one'
      )
      _describe -t commands command commands
      ;;
    rest)
      case $line[1] in
        create) _de-mo-task-create ;;
      esac
      ;;
  esac
}
_de-mo-task-create() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  _arguments -C \
    '(-h --help)'{-h,--help}'[Print this help message and exit]' \
    '--mode[How]:MODE:(fast slow)' \
    '(-f --file)'{-f,--file}'[The request]:FILE:_files' \
    '*--names[Names]:DB.NAME,...: ' \
    '--yes[Do not ask]'
}
_de-mo-shell() {
  local curcontext="$curcontext" state line
  typeset -A opt_args
  _arguments -C \
    '(-h --help)'{-h,--help}'[Print this help message and exit]' \
    '1:SHELL:(bash zsh)'
}
# Loaded through $fpath this file is the function; otherwise it is sourced.
if [[ ${funcstack[1]} == _de-mo ]]; then
  _de-mo "$@"
else
  compdef _de-mo de-mo
fi
)script");
}

TEST(CompletionTest, KnowsTheCommandsOfTheProgram) {
  Program program;
  for (const char* shell : {"bash", "zsh"}) {
    EXPECT_EQ(program.Run(std::string("completion ") + shell), 0);
    for (const char* word : {"rewind", "position", "--until", "caught-up", "--target-token-file"}) {
      EXPECT_NE(program.out.str().find(word), std::string::npos) << shell << " " << word;
    }
  }
}

}  // namespace
}  // namespace cdc
