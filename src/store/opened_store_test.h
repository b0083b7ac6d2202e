// What tests of stores share: one that is opened and closed, and small records for it. Not part of
// the product.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <utility>

#include "base/thread_executor.h"
#include "store/store.h"

namespace cdc {

// A part of a fixture, closed in its destructor at the latest.
class OpenedStore {
 protected:
  ~OpenedStore() { Close(); }

  void Take(Result<std::unique_ptr<Store>> store) {
    ASSERT_TRUE(store.ok()) << store.error().message;
    store_ = *std::move(store);
    progress_ = store_->OpenProgress(executor_);
  }
  void Close() {
    progress_.reset();
    store_.reset();
  }

  // Commits and waits for the outcome.
  Status Commit(ProgressWrite write) {
    std::promise<Status> outcome;
    auto future = outcome.get_future();
    progress_->Commit(std::move(write), [&](Status s) { outcome.set_value(std::move(s)); });
    return future.get();
  }

  static StoredTask Task(const std::string& id) {
    StoredTask task;
    task.spec.id = id;
    task.spec.mode = TargetMode::kReplicate;
    task.spec.selection.includes = {{"default", "*"}};
    return task;
  }
  static ProgressWrite Channel(const std::string& task, const std::string& channel, uint64_t n) {
    ProgressWrite write;
    write.task = task;
    write.channels = {{channel, {LogPosition::Kind::kAfter, {0, n}}, n, n}};
    return write;
  }
  uint64_t FilterOf(const std::string& task, const std::string& channel) {
    Result<TaskProgress> progress = store_->LoadProgress(task);
    return progress.ok() ? progress->channels[channel].filter : 0;
  }

  ThreadExecutor executor_{"test"};
  std::unique_ptr<Store> store_;
  std::unique_ptr<ProgressStore> progress_;
};

}  // namespace cdc
