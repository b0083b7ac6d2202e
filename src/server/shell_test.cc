// The whole process, as a child: starts, answers, ends on a signal.
#include "server/shell.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "base/log.h"
#include "server/http_server.h"
#include "server/stop_signal.h"

namespace cdc {
namespace {

using std::chrono::steady_clock;

class IdleTasks : public TaskService {
 public:
  Result<CreatedTask> Create(TaskSpec) override { return FatalError("no"); }
  Result<TaskPlan> Plan(TaskSpec) override { return FatalError("no"); }
  std::vector<Finding> Preflight(const TaskSpec*) override { return {}; }
  Result<std::vector<TaskStatus>> List(TaskDetail) override { return std::vector<TaskStatus>{}; }
  Result<TaskStatus> Get(const std::string& id) override { return TaskNotFound(id); }
  Status Pause(const std::string& id) override { return TaskNotFound(id); }
  Status Resume(const std::string& id, bool) override { return TaskNotFound(id); }
  Status Rewind(const std::string& id, int64_t) override { return TaskNotFound(id); }
  Result<TaskProgress> Progress(const std::string& id) override { return TaskNotFound(id); }
  Status Delete(const std::string& id) override { return TaskNotFound(id); }
  void Stop() override {}
};

// A service that never stops; tells through a pipe that it was asked to.
class StuckTasks final : public IdleTasks {
 public:
  explicit StuckTasks(int fd) : fd_(fd) {}
  void Stop() override {
    if (write(fd_, "s", 1) == 1) pause();
  }

 private:
  int fd_;
};

class ShellTest : public testing::Test {
 protected:
  ShellTest() {
    std::string name = "/tmp/cdc_shell_test.XXXXXX";
    folder_ = mkdtemp(name.data());
    config_.address = "127.0.0.1:0";
    config_.meta_store.sqlite_path = folder_ + "/cdc.db";
    if (pipe(pipe_) != 0) abort();
  }
  ~ShellTest() override {
    close(pipe_[0]);
    close(pipe_[1]);
    std::filesystem::remove_all(folder_);
  }

  // Runs `body` in a child process, whose exit code it returns.
  template <typename Body>
  pid_t Fork(Body body) {
    const pid_t child = fork();
    if (child == 0) {
      InitLog(LogLevel::kError, "");
      _exit(body());
    }
    return child;
  }
  void AwaitByte() {
    char byte = 0;
    ASSERT_EQ(read(pipe_[0], &byte, 1), 1);
  }
  static int ExitCode(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

  std::string folder_;
  ServerConfig config_;
  int pipe_[2];
};

TEST_F(ShellTest, EndsCleanlyOnASignal) {
  for (const int signal : {SIGTERM, SIGINT}) {
    const pid_t child = Fork([&] {
      return RunShell(config_,
                      [&](const ServerConfig&, Store*) -> Result<std::unique_ptr<TaskService>> {
                        // From here on a signal is an orderly one, however early.
                        if (write(pipe_[1], "r", 1) != 1) return FatalError("pipe");
                        return std::unique_ptr<TaskService>(new IdleTasks);
                      });
    });
    AwaitByte();
    const auto begin = steady_clock::now();
    kill(child, signal);
    EXPECT_EQ(ExitCode(child), 0);
    EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(5));
  }
}

TEST_F(ShellTest, SecondSignalEndsAtOnce) {
  const pid_t child = Fork([&] {
    return RunShell(config_,
                    [&](const ServerConfig&, Store*) -> Result<std::unique_ptr<TaskService>> {
                      if (write(pipe_[1], "r", 1) != 1) return FatalError("pipe");
                      return std::unique_ptr<TaskService>(new StuckTasks(pipe_[1]));
                    });
  });
  AwaitByte();
  kill(child, SIGTERM);
  AwaitByte();  // Stop was called, and hangs
  const auto begin = steady_clock::now();
  kill(child, SIGTERM);
  EXPECT_EQ(ExitCode(child), 70);
  EXPECT_LT(steady_clock::now() - begin, std::chrono::seconds(3));  // not by the limit
}

TEST_F(ShellTest, StoppingTooLongIsCutShort) {
  const pid_t child = Fork([&] {
    StopSignal stop(std::chrono::milliseconds(50));
    if (write(pipe_[1], "r", 1) != 1) return 2;
    stop.Wait();
    pause();
    return 0;
  });
  AwaitByte();
  kill(child, SIGINT);
  EXPECT_EQ(ExitCode(child), 70);
}

TEST_F(ShellTest, WhatPreventsAStartIsAnExitCode) {
  const auto run = [](const ServerConfig& config) {
    return RunShell(config,
                    [](const ServerConfig&, Store*) -> Result<std::unique_ptr<TaskService>> {
                      return std::unique_ptr<TaskService>(new IdleTasks);
                    });
  };
  ServerConfig unsupported = config_;
  unsupported.meta_store.store_type = "mysql";
  EXPECT_EQ(ExitCode(Fork([&] { return run(unsupported); })), 1);
  ServerConfig no_store = config_;
  no_store.meta_store.sqlite_path = folder_;
  EXPECT_EQ(ExitCode(Fork([&] { return run(no_store); })), 1);
  EXPECT_EQ(ExitCode(Fork([&] {
              return RunShell(
                  config_, [](const ServerConfig&, Store*) -> Result<std::unique_ptr<TaskService>> {
                    return FatalError("no manager");
                  });
            })),
            1);
  // A bare socket holds the port: the server's threads would not survive the fork.
  const int holder = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(address);
  ASSERT_EQ(bind(holder, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(listen(holder, 1), 0);
  ASSERT_EQ(getsockname(holder, reinterpret_cast<sockaddr*>(&address), &size), 0);
  ServerConfig taken = config_;
  taken.address = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  EXPECT_EQ(ExitCode(Fork([&] { return run(taken); })), 1);
  close(holder);
}

}  // namespace
}  // namespace cdc
