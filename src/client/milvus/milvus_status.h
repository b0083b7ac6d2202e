// Translation of what a Milvus answers into our Error: the only place that knows gRPC's and Milvus'
// codes. Pure functions, any thread.
//
// Three dialects of one answer: Milvus 2.3 and later (`code`, with the old number in `error_code`),
// milvus-lite and Milvus before 2.3 (the old number in both, or in `error_code` alone), and gRPC's
// own status when no answer came. The flag `retriable` of an answer is not believed: 2.6 sets it
// for calls that it will never serve.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace cdc {

// Does the call change the target? A lost answer means "unknown outcome" only then.
enum class MilvusCallClass { kRead, kWrite };

// Precondition: not success (code and error_code both 0).
Error TranslateMilvusStatus(MilvusCallClass call, std::string_view method, int32_t code,
                            int32_t error_code, std::string_view reason);

// `code` is a grpc::StatusCode other than OK. A call that is larger than the target, or a gateway
// before it, takes at once is kLimit: fatal, and surely not applied, if the text names the size of
// the request. If it does not, what was too large may have been the answer to a write that was
// applied: kLimit with retry then.
Error TranslateGrpcStatus(MilvusCallClass call, std::string_view method, int code,
                          std::string_view message, size_t request_bytes);

}  // namespace cdc
