// The messages that real servers wrote (tests/golden/messages), for tests. Not part of the product.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "model/change.h"
#include "model/target.h"

namespace cdc::golden {

// One line of tests/golden/messages: see the head of those files.
struct Golden {
  std::string name;
  FieldId primary_key = 0;
  int32_t msg_type = 0;
  Timestamp ts = 0;
  int64_t msg_id = 0;
  CollectionId collection = 0;
  PartitionId partition = 0;
  std::string shard;
  uint64_t rows = 0;
  std::string keys;
  Slice payload;
};

inline std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

inline std::vector<Golden> LoadGolden(const std::string& version) {
  const auto root =
      std::filesystem::path(__FILE__).parent_path() / "../../../tests/golden/messages";
  std::ifstream file(root / (version + ".txt"));
  EXPECT_TRUE(file) << root;
  std::vector<Golden> all;
  std::string line;
  while (std::getline(file, line)) {
    if (line.empty() || line[0] == '#') continue;
    Golden golden;
    std::string hex;
    std::istringstream words(line);
    words >> golden.name >> golden.msg_type >> golden.ts >> golden.msg_id >> golden.collection >>
        golden.partition >> golden.shard >> golden.rows >> golden.keys >> hex;
    if (const size_t at = golden.name.find('@'); at != std::string::npos) {
      golden.primary_key = std::stoll(golden.name.substr(at + 1));
    }
    golden.name = version + "/" + golden.name;
    if (golden.shard == "-") golden.shard.clear();
    golden.payload = Slice::Own(FromHex(hex));
    all.push_back(std::move(golden));
  }
  return all;
}

inline std::vector<Golden> AllGolden() {
  std::vector<Golden> all;
  for (const char* version : {"2.3.5", "2.4.21", "2.5.15"}) {
    for (Golden& golden : LoadGolden(version)) all.push_back(std::move(golden));
  }
  return all;
}

// One message of tests/golden/replay: all that a server wrote for one script of calls.
struct Recorded {
  std::string topic;
  uint64_t offset = 0;
  std::string headers;
  Slice payload;
};

inline std::vector<Recorded> LoadRecording(const std::string& version) {
  const auto root = std::filesystem::path(__FILE__).parent_path() / "../../../tests/golden/replay";
  std::ifstream file(root / (version + ".txt"));
  EXPECT_TRUE(file) << root;
  std::vector<Recorded> all;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string kind, hex;
    Recorded message;
    words >> kind >> message.topic >> message.offset >> message.headers >> hex;
    if (kind != "log") continue;
    message.payload = Slice::Own(FromHex(hex));
    all.push_back(std::move(message));
  }
  return all;
}

inline bool HasRows(const Golden& golden) {
  return golden.msg_type == 400 || golden.msg_type == 401;
}
inline bool IsOperation(const Golden& golden) {
  return !HasRows(golden) && golden.name.find("tick") == std::string::npos &&
         golden.collection == 0;
}

inline TargetAddressOfRows Address(const Golden& golden) {
  TargetAddressOfRows to;
  to.name = {"target_db", "target_coll"};
  to.collection_id = 7001;
  to.vchannel = "tgt-rootcoord-dml_3_7001v1";
  to.pchannel = "tgt-rootcoord-dml_3";
  to.partition = "part";
  to.partition_id = 7002;
  to.primary_key = golden.primary_key;
  to.primary_key_name = "id";
  return to;
}

}  // namespace cdc::golden
