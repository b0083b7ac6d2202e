#include "model/target.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/format.h"

namespace cdc {
namespace {

bool SameValue(const std::string& a, const std::string& b) {
  if (a == b) return true;
  if (a.empty() || b.empty() || (a[0] != '{' && a[0] != '[')) return false;
  const auto left = nlohmann::json::parse(a, nullptr, false);
  const auto right = nlohmann::json::parse(b, nullptr, false);
  return !left.is_discarded() && !right.is_discarded() && left == right;
}

}  // namespace

bool SameIndexParams(const KeyValues& a, const KeyValues& b) {
  return std::all_of(a.begin(), a.end(), [&](const auto& left) {
    return std::all_of(b.begin(), b.end(), [&](const auto& right) {
      return left.first != right.first || SameValue(left.second, right.second);
    });
  });
}

const char* ToString(DdlStep::Kind kind) {
  switch (kind) {
    case DdlStep::Kind::kCreateDatabase:
      return "create database";
    case DdlStep::Kind::kDropDatabase:
      return "drop database";
    case DdlStep::Kind::kCreateCollection:
      return "create collection";
    case DdlStep::Kind::kDropCollection:
      return "drop collection";
    case DdlStep::Kind::kRenameCollection:
      return "rename collection";
    case DdlStep::Kind::kAlterProperties:
      return "alter properties";
    case DdlStep::Kind::kCreatePartition:
      return "create partition";
    case DdlStep::Kind::kDropPartition:
      return "drop partition";
    case DdlStep::Kind::kCreateIndex:
      return "create index";
    case DdlStep::Kind::kDropIndex:
      return "drop index";
    case DdlStep::Kind::kCreateAlias:
      return "create alias";
    case DdlStep::Kind::kAlterAlias:
      return "alter alias";
    case DdlStep::Kind::kDropAlias:
      return "drop alias";
    case DdlStep::Kind::kLoadCollection:
      return "load collection";
    case DdlStep::Kind::kReleaseCollection:
      return "release collection";
    case DdlStep::Kind::kLoadPartitions:
      return "load partitions";
    case DdlStep::Kind::kReleasePartitions:
      return "release partitions";
    case DdlStep::Kind::kFlush:
      return "flush";
  }
  return "?";
}

std::string ToString(const DdlStep& step) {
  std::string text = Format("{} {}", ToString(step.kind), step.name.database);
  if (!step.name.collection.empty()) text += "." + step.name.collection;
  if (!step.partition.empty()) text += "/" + step.partition;
  if (!step.index.empty()) text += " index " + step.index;
  if (!step.alias.empty()) text += " alias " + step.alias;
  if (step.kind == DdlStep::Kind::kRenameCollection) {
    text += " to " + ToString(step.new_name);
  }
  for (const std::string& name : step.partition_names) text += " /" + name;
  return text;
}

}  // namespace cdc
