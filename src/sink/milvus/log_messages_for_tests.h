// Messages of the log as a standby gets them, read by hand, for tests. Field numbers: Milvus'
// msg.proto and milvus.proto. Not part of the product.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/wire.h"
#include "client/milvus/columns_for_tests.h"
#include "model/timestamp.h"

namespace cdc::log_messages_for_tests {

using Numbers = std::vector<uint64_t>;

// A message of the log, field by field (msg.proto).
struct LogMessage {
  explicit LogMessage(std::string_view message) : bytes(message) {
    WireReader reader(bytes);
    while (reader.Next()) {
      const auto append = [&](uint64_t number) { numbers[reader.field()].push_back(number); };
      if (reader.field() == 10 || reader.field() == 11) {
        EXPECT_TRUE(ForEachVarint(reader, append));
      } else if (reader.type() == WireType::kVarint) {
        append(reader.number());
      } else {
        texts[reader.field()].emplace_back(reader.bytes());
      }
    }
    EXPECT_TRUE(reader.ok());
    WireReader base(texts[1].at(0));
    while (base.Next()) {
      if (base.field() == 1) type = base.number();
      if (base.field() == 2) msg_id = static_cast<int64_t>(base.number());
      if (base.field() == 3) ts = base.number();
    }
  }
  const Numbers& stamps() const { return numbers.at(10); }
  // Its columns as a request would hold them, for comparison.
  columns_for_tests::Columns Columns() const {
    WireWriter out;
    for (const std::string& column : texts.at(13)) out.Bytes(5, column);
    out.Varint(7, numbers.at(14).at(0));
    return columns_for_tests::Columns(out.Take());
  }

  std::string bytes;
  std::map<uint32_t, Numbers> numbers;
  std::map<uint32_t, std::vector<std::string>> texts;
  uint64_t type = 0;
  Timestamp ts = 0;  // of its base, like the next
  int64_t msg_id = 0;
};

// The messages of a ReplicateMessageRequest, in order.
inline std::vector<LogMessage> MessagesIn(const std::string& request,
                                          std::string* channel = nullptr) {
  std::vector<LogMessage> messages;
  WireReader reader(request);
  while (reader.Next()) {
    if (channel != nullptr && reader.Is(2, WireType::kBytes)) *channel = reader.bytes();
    if (reader.Is(5, WireType::kBytes)) messages.emplace_back(reader.bytes());
  }
  EXPECT_TRUE(reader.ok());
  return messages;
}

}  // namespace cdc::log_messages_for_tests
