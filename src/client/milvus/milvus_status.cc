#include "client/milvus/milvus_status.h"

#include <optional>

#include "base/format.h"

namespace cdc {
namespace {

constexpr auto kRetry = Disposition::kRetry;
constexpr auto kFatal = Disposition::kFatal;

// What a row says about a write: was it refused before anything was written, or can we not know?
enum class Effect { kNone, kMaybe };

struct CodeRow {
  int32_t code;
  Disposition disposition;
  ErrorKind kind;
  Effect effect;
};

// Milvus 2.3 to 2.6, by number. Seen on 2.3.5 unless marked (source).
constexpr CodeRow kCodes[] = {
    {1, kRetry, ErrorKind::kUnavailable, Effect::kNone},   // service not ready
    {2, kRetry, ErrorKind::kUnavailable, Effect::kMaybe},  // service unavailable (source)
    {3, kRetry, ErrorKind::kOther, Effect::kNone},         // memory limit (source)
    {4, kRetry, ErrorKind::kOther, Effect::kNone},         // too many requests (source)
    {5, kRetry, ErrorKind::kOther, Effect::kMaybe},        // internal (source)
    {7, kRetry, ErrorKind::kOther, Effect::kNone},         // disk limit (source)
    {8, kRetry, ErrorKind::kOther, Effect::kNone},         // rate limit (source)
    {9, kRetry, ErrorKind::kOther, Effect::kNone},         // denied by quota (source)
    {10, kFatal, ErrorKind::kUnsupported, Effect::kNone},  // unimplemented (source)
    {100, kFatal, ErrorKind::kNotFound, Effect::kNone},    // collection not found
    {101, kRetry, ErrorKind::kOther, Effect::kNone},       // collection not loaded (source)
    {103, kRetry, ErrorKind::kOther, Effect::kNone},       // not fully loaded (source)
    {108, kFatal, ErrorKind::kStandby, Effect::kNone},     // 2.5: collection under standby (source)
    {200, kFatal, ErrorKind::kNotFound, Effect::kNone},    // partition not found
    {201, kRetry, ErrorKind::kOther, Effect::kNone},       // partition not loaded (source)
    {202, kRetry, ErrorKind::kOther, Effect::kNone},       // not fully loaded (source)
    {500, kRetry, ErrorKind::kOther, Effect::kMaybe},      // channel not found: not watched yet
    {501, kRetry, ErrorKind::kOther, Effect::kMaybe},      // channel lacking (source)
    {503, kRetry, ErrorKind::kOther, Effect::kMaybe},      // channel not available (source)
    {700, kFatal, ErrorKind::kNotFound, Effect::kNone},    // index not found
    {800, kFatal, ErrorKind::kNotFound, Effect::kNone},    // database not found (source)
    {901, kRetry, ErrorKind::kUnavailable, Effect::kMaybe},    // node not found (source)
    {902, kRetry, ErrorKind::kUnavailable, Effect::kMaybe},    // node offline (source)
    {903, kRetry, ErrorKind::kUnavailable, Effect::kMaybe},    // node lacking (source)
    {904, kRetry, ErrorKind::kUnavailable, Effect::kMaybe},    // node id mismatch (source)
    {905, kRetry, ErrorKind::kUnavailable, Effect::kMaybe},    // node unavailable (source)
    {1100, kFatal, ErrorKind::kInvalid, Effect::kNone},        // parameter invalid
    {1101, kFatal, ErrorKind::kInvalid, Effect::kNone},        // parameter missing (source)
    {1302, kRetry, ErrorKind::kOther, Effect::kMaybe},         // message queue trouble (source)
    {1303, kFatal, ErrorKind::kStandby, Effect::kNone},        // writing denied: a standby
    {1400, kFatal, ErrorKind::kInvalid, Effect::kNone},        // not authenticated (source)
    {1401, kFatal, ErrorKind::kInvalid, Effect::kNone},        // not permitted (source)
    {1600, kFatal, ErrorKind::kNotFound, Effect::kNone},       // alias not found
    {1601, kFatal, ErrorKind::kAlreadyExists, Effect::kNone},  // alias named like a collection
    {1602, kFatal, ErrorKind::kAlreadyExists, Effect::kNone},  // alias of another (source)
    {1900, kFatal, ErrorKind::kNotStandby, Effect::kNone},     // replicate messages denied
    {1901, kFatal, ErrorKind::kInvalid, Effect::kNone},        // replicate bytes not understood
    {1902, kRetry, ErrorKind::kOther, Effect::kNone},          // no segment could be assigned
};

// Numbers of milvus-lite 3.x and of Milvus before 2.3 (its ErrorCode enum).
constexpr CodeRow kLegacyCodes[] = {
    {4, kFatal, ErrorKind::kNotFound, Effect::kNone},        // collection does not exist
    {8, kFatal, ErrorKind::kInvalid, Effect::kNone},         // illegal collection name (source)
    {11, kFatal, ErrorKind::kNotFound, Effect::kNone},       // milvus-lite: no index
    {15, kFatal, ErrorKind::kNotFound, Effect::kNone},       // partition does not exist (source)
    {25, kFatal, ErrorKind::kNotFound, Effect::kNone},       // index does not exist (source)
    {27, kRetry, ErrorKind::kUnavailable, Effect::kNone},    // not ready
    {35, kFatal, ErrorKind::kAlreadyExists, Effect::kNone},  // milvus-lite: index exists
    {49, kRetry, ErrorKind::kOther, Effect::kNone},          // rate limit (source)
    {53, kRetry, ErrorKind::kOther, Effect::kNone},          // denied by quota (source)
    {100, kFatal, ErrorKind::kNotFound, Effect::kNone},      // milvus-lite: collection
    {200, kFatal, ErrorKind::kNotFound, Effect::kNone},      // milvus-lite: partition
    {700, kFatal, ErrorKind::kNotFound, Effect::kNone},      // milvus-lite: index
};

struct TextRow {
  const char* text;
  Disposition disposition;
  ErrorKind kind;
  Effect effect;
};

// What only the words tell (code 65535 of 2.3, and most of milvus-lite). First match wins.
constexpr TextRow kTexts[] = {
    {"not supported in streaming mode", kFatal, ErrorKind::kUnsupported, Effect::kNone},
    // A standby asked about a collection whose source timestamp its own clock has not reached yet.
    {"no value found: collection not found", kRetry, ErrorKind::kOther, Effect::kNone},
    {"key not found[key=", kRetry, ErrorKind::kOther, Effect::kNone},
    // ReplicateMessage of rows stamped more than 2 s ahead of the target's clock: passes by itself.
    {"failRemainRequest", kRetry, ErrorKind::kOther, Effect::kNone},
    // The proxy forgot the collection between two looks at its own cache (2.3, GetPartitions; an
    // alias dropped or a load at that moment). One that is really gone is code 100 at the next
    // call.
    {"can't find collection name", kRetry, ErrorKind::kOther, Effect::kNone},
    {"please release it first", kRetry, ErrorKind::kOther, Effect::kNone},
    {"call release() first", kRetry, ErrorKind::kOther, Effect::kNone},
    {"must drop all collections before drop database", kRetry, ErrorKind::kOther, Effect::kNone},
    {"already exist", kFatal, ErrorKind::kAlreadyExists, Effect::kNone},
    {"create duplicate collection", kFatal, ErrorKind::kAlreadyExists, Effect::kNone},
    {"one distinct index is allowed", kFatal, ErrorKind::kAlreadyExists, Effect::kNone},
    {"multiple indexes on same field", kFatal, ErrorKind::kAlreadyExists, Effect::kNone},
    {"conflicts with an existing collection", kFatal, ErrorKind::kAlreadyExists, Effect::kNone},
    {"does not exist", kFatal, ErrorKind::kNotFound, Effect::kNone},
    {"not found", kFatal, ErrorKind::kNotFound, Effect::kNone},
    // A Milvus that starts, stops, or has lost one of its parts.
    {"empty grpc client", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
    {"find no available", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
    {"not healthy", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
    {"not match", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
    {"is closing", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
    {"deadline exceeded", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
    {"context canceled", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
    {"connection refused", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
    {"code = Unavailable", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
    {"not ready", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
    {"service unavailable", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
    {"timed out", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
};

struct GrpcRow {
  int code;
  const char* text;  // part of the message; empty: any
  Disposition disposition;
  ErrorKind kind;
  Effect effect;
};

// gRPC's numbers. Before a connection stands nothing was sent: those two texts are gRPC's own.
constexpr GrpcRow kGrpc[] = {
    {14, "failed to connect to all addresses", kRetry, ErrorKind::kUnavailable, Effect::kNone},
    {14, "DNS resolution failed", kRetry, ErrorKind::kUnavailable, Effect::kNone},
    {14, "", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},  // UNAVAILABLE
    {4, "", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},   // DEADLINE_EXCEEDED
    {1, "", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},   // CANCELLED, also by us
    {10, "", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},  // ABORTED
    {13, "", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},  // INTERNAL: a stream was reset
    {2, "not ready", kRetry, ErrorKind::kUnavailable, Effect::kMaybe},
    // gRPC's own text for the answer of an HTTP gateway that takes less at once.
    {2, "http2 header with status: 413", kFatal, ErrorKind::kLimit, Effect::kNone},
    {2, "", kRetry, ErrorKind::kOther, Effect::kMaybe},  // UNKNOWN
    // RESOURCE_EXHAUSTED: a message too large (texts of C++ and Go, of Java), or a rate limit.
    {8, "larger than max", kFatal, ErrorKind::kLimit, Effect::kNone},
    {8, "exceeds maximum size", kFatal, ErrorKind::kLimit, Effect::kNone},
    {8, "", kRetry, ErrorKind::kOther, Effect::kNone},
    {12, "", kFatal, ErrorKind::kUnsupported, Effect::kNone},   // UNIMPLEMENTED
    {16, "", kFatal, ErrorKind::kInvalid, Effect::kNone},       // UNAUTHENTICATED
    {7, "", kFatal, ErrorKind::kInvalid, Effect::kNone},        // PERMISSION_DENIED
    {3, "", kFatal, ErrorKind::kInvalid, Effect::kNone},        // INVALID_ARGUMENT
    {5, "", kFatal, ErrorKind::kNotFound, Effect::kNone},       // NOT_FOUND
    {6, "", kFatal, ErrorKind::kAlreadyExists, Effect::kNone},  // ALREADY_EXISTS
};

const char* GrpcName(int code) {
  constexpr const char* kNames[] = {"OK",
                                    "CANCELLED",
                                    "UNKNOWN",
                                    "INVALID_ARGUMENT",
                                    "DEADLINE_EXCEEDED",
                                    "NOT_FOUND",
                                    "ALREADY_EXISTS",
                                    "PERMISSION_DENIED",
                                    "RESOURCE_EXHAUSTED",
                                    "FAILED_PRECONDITION",
                                    "ABORTED",
                                    "OUT_OF_RANGE",
                                    "UNIMPLEMENTED",
                                    "INTERNAL",
                                    "UNAVAILABLE",
                                    "DATA_LOSS",
                                    "UNAUTHENTICATED"};
  return code >= 0 && code <= 16 ? kNames[code] : "?";
}

const char* Advice(ErrorKind kind, int grpc_code) {
  if (grpc_code == 16) return "; check the token";
  if (grpc_code == 7) return "; the user of the token lacks this privilege";
  switch (kind) {
    case ErrorKind::kStandby:
      return "; the target is a standby (common.ttMsgEnabled=false), which takes replicated writes "
             "only";
    case ErrorKind::kNotStandby:
      return "; the target is an ordinary primary (common.ttMsgEnabled=true)";
    default:
      return "";
  }
}

// The words alone do not tell that two clocks disagree.
const char* ClockAdvice(std::string_view reason) {
  for (const char* text : {"failRemainRequest", "no value found", "key not found[key="}) {
    if (reason.find(text) == std::string_view::npos) continue;
    return "; timestamps may be ahead of the target's clock: check that the clocks of source and "
           "target agree within 2 seconds";
  }
  return "";
}

bool Names(std::string_view text, size_t number) {
  const auto digit = [&](size_t at) {
    return at < text.size() && text[at] >= '0' && text[at] <= '9';
  };
  const std::string digits = std::to_string(number);
  for (size_t at = text.find(digits); at != std::string_view::npos;
       at = text.find(digits, at + 1)) {
    if (!digit(at - 1) && !digit(at + digits.size())) return true;
  }
  return false;
}

std::string OneLine(std::string_view text) {
  std::string line(text);
  for (char& c : line) {
    if (c == '\n' || c == '\r') c = ' ';
  }
  return line;
}

Error Make(MilvusCallClass call, Disposition disposition, ErrorKind kind, Effect effect,
           std::string message) {
  if (call == MilvusCallClass::kWrite && effect == Effect::kMaybe) {
    kind = ErrorKind::kUnknownOutcome;
  }
  return {disposition, kind, std::move(message)};
}

std::optional<CodeRow> FindCode(int32_t code, int32_t error_code) {
  // 2.3 and later never use one number for both; the old dialect does, or leaves one of them 0.
  const bool legacy = code == error_code || code == 0 || (code == 1 && error_code != 27);
  if (!legacy) {
    for (const CodeRow& row : kCodes) {
      if (row.code == code) return row;
    }
    return std::nullopt;
  }
  const int32_t number = code != 0 ? code : error_code;
  for (const CodeRow& row : kLegacyCodes) {
    if (row.code == number) return row;
  }
  return std::nullopt;
}

}  // namespace

Error TranslateMilvusStatus(MilvusCallClass call, std::string_view method, int32_t code,
                            int32_t error_code, std::string_view reason) {
  const auto message = [&](ErrorKind kind) {
    return Format("Milvus {}: {} (code {}){}{}", method, OneLine(reason),
                  code != 0 ? code : error_code, Advice(kind, 0), ClockAdvice(reason));
  };
  // Words first where they are more precise than the number (2.6 answers code 2 for "never").
  for (const TextRow& row : kTexts) {
    if (row.kind == ErrorKind::kUnsupported && reason.find(row.text) != std::string_view::npos) {
      return Make(call, row.disposition, row.kind, row.effect, message(row.kind));
    }
  }
  if (const auto row = FindCode(code, error_code)) {
    return Make(call, row->disposition, row->kind, row->effect, message(row->kind));
  }
  for (const TextRow& row : kTexts) {
    if (reason.find(row.text) != std::string_view::npos) {
      return Make(call, row.disposition, row.kind, row.effect, message(row.kind));
    }
  }
  // Looking again costs nothing; a write that is refused for a reason we do not know needs a
  // person.
  const Disposition unknown = call == MilvusCallClass::kRead ? kRetry : kFatal;
  return {unknown, ErrorKind::kOther, message(ErrorKind::kOther)};
}

Error TranslateGrpcStatus(MilvusCallClass call, std::string_view method, int code,
                          std::string_view message, size_t request_bytes) {
  const std::string text = Format("Milvus {}: {} ({})", method, OneLine(message), GrpcName(code));
  for (const GrpcRow& row : kGrpc) {
    if (row.code != code || message.find(row.text) == std::string_view::npos) continue;
    if (row.kind == ErrorKind::kLimit && call == MilvusCallClass::kWrite &&
        !Names(message, request_bytes)) {
      return {kRetry, row.kind, text};
    }
    return Make(call, row.disposition, row.kind, row.effect, text + Advice(row.kind, code));
  }
  return {kFatal, ErrorKind::kOther, text};
}

}  // namespace cdc
