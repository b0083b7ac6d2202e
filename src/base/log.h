// Logging. Any thread; may block briefly on the log file. Never pass a secret.
//
// LogInfo("task {} started", id): placeholders as in Format(). Implemented over spdlog in log.cc,
// so that its headers stay there.
#pragma once

#include <string>
#include <string_view>

#include "base/format.h"

namespace cdc {

enum class LogLevel { kDebug, kInfo, kWarn, kError };

// Starts logging to standard error, and to `file` (rotated) unless it is empty. Call once.
void InitLog(LogLevel level, const std::string& file);
void SetLogLevel(LogLevel level);
bool LogEnabled(LogLevel level);
void WriteLog(LogLevel level, const std::string& message);

template <typename... Args>
void LogDebug(std::string_view format, const Args&... args) {
  if (LogEnabled(LogLevel::kDebug)) WriteLog(LogLevel::kDebug, Format(format, args...));
}
template <typename... Args>
void LogInfo(std::string_view format, const Args&... args) {
  if (LogEnabled(LogLevel::kInfo)) WriteLog(LogLevel::kInfo, Format(format, args...));
}
template <typename... Args>
void LogWarn(std::string_view format, const Args&... args) {
  if (LogEnabled(LogLevel::kWarn)) WriteLog(LogLevel::kWarn, Format(format, args...));
}
template <typename... Args>
void LogError(std::string_view format, const Args&... args) {
  if (LogEnabled(LogLevel::kError)) WriteLog(LogLevel::kError, Format(format, args...));
}

}  // namespace cdc
