// Error, Status and Result<T>: how every fallible operation of this project reports failure.
//
// Foreign errors (gRPC codes, RocksDB, SQLite, etcd) are translated into Error once, where the
// foreign library is called. Plain values: any thread, never blocks, never throws.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace cdc {

// What the caller should do about an error.
enum class Disposition {
  kRetry,    // passing: try again with back-off; the task shows a warning meanwhile
  kFatal,    // will not pass by itself: the task fails with the reason and keeps its position
  kCorrupt,  // data that cannot be understood: the task fails with position and reason
};

// A finer reason, for the few places that branch on it. kOther is the usual one.
enum class ErrorKind {
  kOther,
  kNotFound,        // the named object does not exist (collection, database, key, file)
  kAlreadyExists,   // the name is taken
  kConflict,        // what is there does not allow it: another task, or the state it is in
  kLimit,           // there are as many as the configuration allows
  kInvalid,         // the request or the configuration is wrong
  kUnavailable,     // peer not reachable
  kUnknownOutcome,  // the call may or may not have been applied (deadline, connection lost)
  kNotStandby,      // the target refuses replicate calls: it is (or became) an ordinary primary
  kStandby,         // the target refuses plain writes: it is a standby
  kUnsupported,     // the peer does not implement the call
  kCompacted,       // etcd: the revision is gone, list again
  kSourceReplaced,  // the source's etcd is not the one that it was
  kPositionGone,    // the log no longer holds the wanted position
};

struct Error {
  Disposition disposition = Disposition::kFatal;
  ErrorKind kind = ErrorKind::kOther;
  std::string message;  // one line, says what to do where possible; never holds a secret
  // Where whoever reports it tries again by itself: how long it waits before. 0: at once, or not.
  std::chrono::nanoseconds retry_in{0};

  // Returns a copy whose message is "prefix: message".
  [[nodiscard]] Error Prefixed(std::string_view prefix) const {
    return {disposition, kind, std::string(prefix) + ": " + message, retry_in};
  }
  [[nodiscard]] Error RetriedIn(std::chrono::nanoseconds wait) const {
    return {disposition, kind, message, wait};
  }
  bool IsRetry() const { return disposition == Disposition::kRetry; }
};

inline Error RetryError(std::string message, ErrorKind kind = ErrorKind::kOther) {
  return {Disposition::kRetry, kind, std::move(message)};
}
inline Error FatalError(std::string message, ErrorKind kind = ErrorKind::kOther) {
  return {Disposition::kFatal, kind, std::move(message)};
}
inline Error CorruptError(std::string message) {
  return {Disposition::kCorrupt, ErrorKind::kOther, std::move(message)};
}
inline Error InvalidError(std::string message) {
  return {Disposition::kFatal, ErrorKind::kInvalid, std::move(message)};
}

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}      // NOLINT: implicit by design
  Result(Error error) : value_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return value_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // Precondition: ok().
  T& operator*() & { return std::get<0>(value_); }
  const T& operator*() const& { return std::get<0>(value_); }
  T&& operator*() && { return std::get<0>(std::move(value_)); }
  T* operator->() { return &std::get<0>(value_); }
  const T* operator->() const { return &std::get<0>(value_); }

  // Precondition: !ok().
  const Error& error() const { return std::get<1>(value_); }

 private:
  std::variant<T, Error> value_;
};

class [[nodiscard]] Status {
 public:
  Status() = default;
  Status(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design

  bool ok() const { return !error_.has_value(); }
  explicit operator bool() const { return ok(); }
  const Error& error() const { return *error_; }  // Precondition: !ok().

 private:
  std::optional<Error> error_;
};

inline Status OkStatus() {
  return {};
}

}  // namespace cdc

// Evaluates a Status or Result expression and returns its error from the enclosing function.
#define CDC_RETURN_IF_ERROR(expr)                      \
  do {                                                 \
    auto cdc_status_ = (expr);                         \
    if (!cdc_status_.ok()) return cdc_status_.error(); \
  } while (false)

#define CDC_CONCAT_INNER_(a, b) a##b
#define CDC_CONCAT_(a, b) CDC_CONCAT_INNER_(a, b)
#define CDC_ASSIGN_OR_RETURN_(tmp, lhs, expr) \
  auto tmp = (expr);                          \
  if (!tmp.ok()) return tmp.error();          \
  lhs = *std::move(tmp)
// CDC_ASSIGN_OR_RETURN(auto x, F()): x = value of F(), or returns F()'s error.
#define CDC_ASSIGN_OR_RETURN(lhs, expr) \
  CDC_ASSIGN_OR_RETURN_(CDC_CONCAT_(cdc_result_, __LINE__), lhs, expr)
