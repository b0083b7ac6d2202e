#include "client/pulsar/libpulsar_diary.h"

#include <utility>

#include "base/log.h"

namespace cdc {
namespace {

constexpr size_t kMaxReason = 300;
constexpr std::string_view kHidden = "***";

// Follows on the line with the reason, and repeats the result of the call at most.
bool SaysNothing(std::string_view text) {
  return text.starts_with("Error Checking/Getting Partition Metadata") ||
         text.find("] Connection closed with ") != std::string_view::npos;
}

}  // namespace

void LibpulsarDiary::Hide(const std::vector<std::string>& secrets) {
  const std::lock_guard lock(mutex_);
  for (const std::string& secret : secrets) {
    if (!secret.empty()) secrets_.insert(secret);
  }
}

void LibpulsarDiary::Write(libpulsar::LogLevel level, std::string text) {
  const std::lock_guard lock(mutex_);
  for (const std::string& secret : secrets_) {
    size_t at = 0;
    while ((at = text.find(secret, at)) != std::string::npos) {
      text.replace(at, secret.size(), kHidden);
      at += kHidden.size();
    }
  }
  const LogLevel ours = level >= libpulsar::kLogWarn ? LogLevel::kInfo : LogLevel::kDebug;
  if (LogEnabled(ours)) WriteLog(ours, "libpulsar: " + text);
  if (text.ends_with("Connected to broker")) ++page_.connections;
  if (level < libpulsar::kLogWarn || SaysNothing(text)) return;
  ++page_.lines;
  page_.last = text.substr(0, kMaxReason);
}

LibpulsarDiary::Page LibpulsarDiary::page() {
  const std::lock_guard lock(mutex_);
  return page_;
}

LibpulsarDiary& TheLibpulsarDiary() {
  static LibpulsarDiary* const diary = new LibpulsarDiary;
  return *diary;
}

void WriteLibpulsarDiary(libpulsar::LogLevel level, const char* /*file*/, int /*line*/,
                         const char* text, void* /*context*/) {
  TheLibpulsarDiary().Write(level, text);
}

}  // namespace cdc
