#include "client/milvus/milvus_status.h"

#include <gtest/gtest.h>

#include <vector>

namespace cdc {
namespace {

using enum Disposition;
using enum ErrorKind;

struct MilvusCase {
  int32_t code;
  int32_t error_code;
  const char* reason;
  Disposition disposition;
  ErrorKind read;
  ErrorKind write;
};

// Answers as real servers give them where the texts are long; otherwise numbers of the source.
const std::vector<MilvusCase> kMilvusCases = {
    {1, 27, "service not ready", kRetry, kUnavailable, kUnavailable},
    {2, 1, "service unavailable", kRetry, kUnavailable, kUnknownOutcome},
    {3, 1, "memory limit exceeded", kRetry, kOther, kOther},
    {4, 1, "too many concurrent requests", kRetry, kOther, kOther},
    {5, 1, "service internal error", kRetry, kOther, kUnknownOutcome},
    {7, 1, "disk limit exceeded", kRetry, kOther, kOther},
    {8, 49, "rate limit exceeded", kRetry, kOther, kOther},
    {9, 53, "force deny", kRetry, kOther, kOther},
    {10, 1, "unimplemented", kFatal, kUnsupported, kUnsupported},
    {100, 4, "collection not found[database=default][collection=none]", kFatal, kNotFound,
     kNotFound},
    {100, 1, "can't find collection collection not found[database=nodb][collection=none]", kFatal,
     kNotFound, kNotFound},
    {101, 1, "collection not loaded", kRetry, kOther, kOther},
    {103, 1, "collection not fully loaded", kRetry, kOther, kOther},
    {108, 1, "can't operate on the collection under standby mode", kFatal, kStandby, kStandby},
    {200, 15, "partition not found[partition=nop]", kFatal, kNotFound, kNotFound},
    {201, 1, "partition not loaded", kRetry, kOther, kOther},
    {202, 1, "partition not fully loaded", kRetry, kOther, kOther},
    {500, 1, "attempt #6: channel not found[channel=dml_0_1v0]", kRetry, kOther, kUnknownOutcome},
    {501, 1, "channel lack", kRetry, kOther, kUnknownOutcome},
    {503, 1, "channel not available", kRetry, kOther, kUnknownOutcome},
    {700, 25, "index not found[collection=c1]", kFatal, kNotFound, kNotFound},
    {800, 1, "database not found[database=d]", kFatal, kNotFound, kNotFound},
    {901, 1, "node not found", kRetry, kUnavailable, kUnknownOutcome},
    {902, 1, "node offline", kRetry, kUnavailable, kUnknownOutcome},
    {903, 1, "node lacks", kRetry, kUnavailable, kUnknownOutcome},
    {904, 36, "node not match", kRetry, kUnavailable, kUnknownOutcome},
    {905, 1, "node unavailable", kRetry, kUnavailable, kUnknownOutcome},
    {1100, 5, "invalid channel name for the replicate message request: invalid parameter", kFatal,
     kInvalid, kInvalid},
    {1101, 5, "missing parameter", kFatal, kInvalid, kInvalid},
    {1302, 1, "message queue internal error", kRetry, kOther, kUnknownOutcome},
    {1303, 1, "deny to write the message to mq", kFatal, kStandby, kStandby},
    {1400, 1, "not authenticated", kFatal, kInvalid, kInvalid},
    {1401, 1, "privilege not permitted", kFatal, kInvalid, kInvalid},
    {1600, 1, "alias not found[database=default][alias=a2]", kFatal, kNotFound, kNotFound},
    {1601, 1, "alias and collection name conflict", kFatal, kAlreadyExists, kAlreadyExists},
    {1602, 1, "alias already exist", kFatal, kAlreadyExists, kAlreadyExists},
    {1900, 1, "deny to use the replicate message in the normal instance", kFatal, kNotStandby,
     kNotStandby},
    {1901, 1, "invalid replicate msg bytes", kFatal, kInvalid, kInvalid},
    {1902, 1, "no assign segment id", kRetry, kOther, kOther},
    // 2.6: the number says "unavailable, retriable", the words say never.
    {2, 1, "not supported in streaming mode", kFatal, kUnsupported, kUnsupported},
    // 65535 of 2.3.5: only the words tell.
    {65535, 1, "database:nodb not found", kFatal, kNotFound, kNotFound},
    {65535, 1, "database already exist: d1", kFatal, kAlreadyExists, kAlreadyExists},
    {65535, 1, "create duplicate collection with different parameters, collection: c1", kFatal,
     kAlreadyExists, kAlreadyExists},
    {65535, 1, "CreateIndex failed: at most one distinct index is allowed per field", kFatal,
     kAlreadyExists, kAlreadyExists},
    {65535, 1, "CreateIndex failed: creating multiple indexes on same field is not supported",
     kFatal, kAlreadyExists, kAlreadyExists},
    {65535, 1, "partition cannot be dropped, partition is loaded, please release it first", kRetry,
     kOther, kOther},
    {65535, 1, "database:d1 not empty, must drop all collections before drop database", kRetry,
     kOther, kOther},
    {65535, 1, "rpc error: code = DeadlineExceeded desc = context deadline exceeded", kRetry,
     kUnavailable, kUnknownOutcome},
    {65535, 1, "context canceled", kRetry, kUnavailable, kUnknownOutcome},
    {65535, 1, "dial tcp: connection refused", kRetry, kUnavailable, kUnknownOutcome},
    {65535, 1, "rpc error: code = Unavailable desc = closing", kRetry, kUnavailable,
     kUnknownOutcome},
    {65535, 1, "proxy not ready", kRetry, kUnavailable, kUnknownOutcome},
    {65535, 1, "service unavailable", kRetry, kUnavailable, kUnknownOutcome},
    {65535, 1, "request timed out", kRetry, kUnavailable, kUnknownOutcome},
    {65535, 1, "no value found: collection not found[collection=470643434964536483]", kRetry,
     kOther, kOther},
    {65535, 1, "key not found[key=by-dev/meta/root-coord/collection/4706]", kRetry, kOther, kOther},
    {65535, 1, "getSegmentID failed: SegmentIDAllocator failRemainRequest unexpected error", kRetry,
     kOther, kOther},
    {65535, 1, "can't find collection name default:churn_0", kRetry, kOther, kOther},
    {65535, 1, "invalid dimension: 0. should be in range 1 ~ 32768", kFatal, kOther, kOther},
    // milvus-lite 3.2.2.
    {100, 4, "collection 'none' does not exist", kFatal, kNotFound, kNotFound},
    {6, 6, "database 'nodb' does not exist", kFatal, kNotFound, kNotFound},
    {6, 6, "database 'd1' already exists", kFatal, kAlreadyExists, kAlreadyExists},
    {6, 6, "index cannot be dropped on loaded collection; call release() first", kRetry, kOther,
     kOther},
    {1, 1, "collection 'c1' already exists", kFatal, kAlreadyExists, kAlreadyExists},
    {1, 1, "alias 'c1' conflicts with an existing collection", kFatal, kAlreadyExists,
     kAlreadyExists},
    {1, 1, "p1", kFatal, kOther, kOther},
    {1, 0, "cannot drop default database", kFatal, kOther, kOther},
    {35, 35, "index already exists for field 'v'; call drop_index first", kFatal, kAlreadyExists,
     kAlreadyExists},
    {200, 200, "nop", kFatal, kNotFound, kNotFound},
    {700, 11, "no index on collection 'c1'", kFatal, kNotFound, kNotFound},
    // Milvus before 2.3: `error_code` alone.
    {0, 4, "can't find collection", kFatal, kNotFound, kNotFound},
    {0, 8, "illegal name", kFatal, kInvalid, kInvalid},
    {0, 11, "no index", kFatal, kNotFound, kNotFound},
    {0, 15, "no partition", kFatal, kNotFound, kNotFound},
    {0, 25, "no index", kFatal, kNotFound, kNotFound},
    {0, 27, "starting", kRetry, kUnavailable, kUnavailable},
    {65535, 1, "empty grpc client: find no available rootcoord, check rootcoord state", kRetry,
     kUnavailable, kUnknownOutcome},
    {65535, 1, "Milvus Proxy is not healthy", kRetry, kUnavailable, kUnknownOutcome},
    {0, 49, "rate limit", kRetry, kOther, kOther},
    {0, 53, "quota", kRetry, kOther, kOther},
    {100, 100, "gone", kFatal, kNotFound, kNotFound},
    {700, 700, "gone", kFatal, kNotFound, kNotFound},
};

TEST(MilvusStatusTest, EveryAnswerHasItsKind) {
  for (const MilvusCase& c : kMilvusCases) {
    SCOPED_TRACE(std::to_string(c.code) + "/" + std::to_string(c.error_code) + " " + c.reason);
    const Error read =
        TranslateMilvusStatus(MilvusCallClass::kRead, "X", c.code, c.error_code, c.reason);
    const Error write =
        TranslateMilvusStatus(MilvusCallClass::kWrite, "X", c.code, c.error_code, c.reason);
    // A refusal that nobody knows: a look is repeated, a write is a person's matter.
    const bool unknown = c.disposition == kFatal && c.read == kOther;
    EXPECT_EQ(static_cast<int>(read.disposition),
              static_cast<int>(unknown ? kRetry : c.disposition));
    EXPECT_EQ(static_cast<int>(write.disposition), static_cast<int>(c.disposition));
    EXPECT_EQ(static_cast<int>(read.kind), static_cast<int>(c.read));
    EXPECT_EQ(static_cast<int>(write.kind), static_cast<int>(c.write));
    EXPECT_NE(read.message.find(c.reason), std::string::npos);
  }
}

struct GrpcCase {
  int code;
  const char* message;
  Disposition disposition;
  ErrorKind read;
  ErrorKind write;
};

const std::vector<GrpcCase> kGrpcCases = {
    {14, "failed to connect to all addresses; last error: Connection refused", kRetry, kUnavailable,
     kUnavailable},
    {14, "DNS resolution failed for nowhere", kRetry, kUnavailable, kUnavailable},
    {14, "Socket closed", kRetry, kUnavailable, kUnknownOutcome},
    {4, "Deadline Exceeded", kRetry, kUnavailable, kUnknownOutcome},
    {1, "CANCELLED", kRetry, kUnavailable, kUnknownOutcome},
    {10, "aborted", kRetry, kUnavailable, kUnknownOutcome},
    {13, "Received RST_STREAM", kRetry, kUnavailable, kUnknownOutcome},
    {2, "proxy not ready", kRetry, kUnavailable, kUnknownOutcome},
    {2, "Stream removed", kRetry, kOther, kUnknownOutcome},
    {8, "Received message larger than max (5000 vs. 4000)", kFatal, kLimit, kLimit},
    {8, "grpc: received message larger than max (5000 vs. 4000)", kFatal, kLimit, kLimit},
    {8, "trying to send message larger than max (5000 vs. 4000)", kFatal, kLimit, kLimit},
    {8, "gRPC message exceeds maximum size 4000: 5000", kFatal, kLimit, kLimit},
    {8, "rate limit exceeded, retry later", kRetry, kOther, kOther},
    {8, "", kRetry, kOther, kOther},
    {12, "Method not implemented!", kFatal, kUnsupported, kUnsupported},
    {16, "auth check failure", kFatal, kInvalid, kInvalid},
    {7, "permission deny", kFatal, kInvalid, kInvalid},
    {3, "bad", kFatal, kInvalid, kInvalid},
    {5, "gone", kFatal, kNotFound, kNotFound},
    {6, "there", kFatal, kAlreadyExists, kAlreadyExists},
    {15, "data loss", kFatal, kOther, kOther},
};

TEST(MilvusStatusTest, EveryGrpcCodeHasItsKind) {
  for (const GrpcCase& c : kGrpcCases) {
    SCOPED_TRACE(std::to_string(c.code) + " " + c.message);
    const Error read = TranslateGrpcStatus(MilvusCallClass::kRead, "X", c.code, c.message, 5000);
    const Error write = TranslateGrpcStatus(MilvusCallClass::kWrite, "X", c.code, c.message, 5000);
    EXPECT_EQ(static_cast<int>(read.disposition), static_cast<int>(c.disposition));
    EXPECT_EQ(static_cast<int>(write.disposition), static_cast<int>(c.disposition));
    EXPECT_EQ(static_cast<int>(read.kind), static_cast<int>(c.read));
    EXPECT_EQ(static_cast<int>(write.kind), static_cast<int>(c.write));
  }
}

// A gateway may take the request and not the answer.
TEST(MilvusStatusTest, ASizeThatIsNotTheRequestsMayBeTheAnswersToAWrite) {
  for (const size_t request : {500, 50000, 15000, 4001}) {
    const char* text = "grpc: received message larger than max (5000 vs. 4000)";
    const Error write = TranslateGrpcStatus(MilvusCallClass::kWrite, "Insert", 8, text, request);
    EXPECT_EQ(static_cast<int>(write.disposition), static_cast<int>(kRetry));
    EXPECT_EQ(static_cast<int>(write.kind), static_cast<int>(kLimit));
    const Error read = TranslateGrpcStatus(MilvusCallClass::kRead, "X", 8, text, request);
    EXPECT_EQ(static_cast<int>(read.disposition), static_cast<int>(kFatal));
  }
}

// It says no number: whether all of the request was refused is not known.
TEST(MilvusStatusTest, AGatewayThatRefusesTheSizeGetsSmallerCalls) {
  const char* text = "Received http2 header with status: 413";
  const Error write = TranslateGrpcStatus(MilvusCallClass::kWrite, "Insert", 2, text, 5000);
  EXPECT_EQ(static_cast<int>(write.disposition), static_cast<int>(kRetry));
  EXPECT_EQ(static_cast<int>(write.kind), static_cast<int>(kLimit));
  const Error read = TranslateGrpcStatus(MilvusCallClass::kRead, "X", 2, text, 5000);
  EXPECT_EQ(static_cast<int>(read.disposition), static_cast<int>(kFatal));
}

TEST(MilvusStatusTest, MessagesAreOneLineAndSayWhatToDo) {
  const Error standby =
      TranslateMilvusStatus(MilvusCallClass::kWrite, "Insert", 1303, 1, "deny to write\nto mq");
  EXPECT_EQ(standby.message,
            "Milvus Insert: deny to write to mq (code 1303); the target is a standby "
            "(common.ttMsgEnabled=false), which takes replicated writes only");
  EXPECT_NE(TranslateGrpcStatus(MilvusCallClass::kRead, "GetVersion", 16, "auth check failure", 0)
                .message.find("check the token"),
            std::string::npos);
}

}  // namespace
}  // namespace cdc
