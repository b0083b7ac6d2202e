#include "source/catalog_keys.h"

#include <charconv>

namespace cdc {
namespace {

constexpr std::string_view kDatabasePath = "root-coord/database/db-info/";
constexpr std::string_view kCollectionPath = "root-coord/database/collection-info/";
constexpr std::string_view kLegacyCollectionPath = "root-coord/collection/";
constexpr std::string_view kFieldPath = "root-coord/fields/";
constexpr std::string_view kFunctionPath = "root-coord/functions/";
constexpr std::string_view kPartitionPath = "root-coord/partitions/";
constexpr std::string_view kAliasPath = "root-coord/database/aliases/";
constexpr std::string_view kLegacyAliasPath = "root-coord/aliases/";
constexpr std::string_view kIndexPath = "field-index/";
constexpr std::string_view kLoadPath = "querycoord-collection-loadinfo/";
constexpr std::string_view kPartitionLoadPath = "querycoord-partition-loadinfo/";

// Takes a decimal number from the front of `rest`: all of it, or up to a '/', which is taken too.
bool TakeId(std::string_view* rest, int64_t* id) {
  const auto [end, error] = std::from_chars(rest->data(), rest->data() + rest->size(), *id);
  if (error != std::errc()) return false;
  rest->remove_prefix(end - rest->data());
  if (rest->empty()) return true;
  if (rest->front() != '/') return false;
  rest->remove_prefix(1);
  return !rest->empty();
}

bool TakeOneId(std::string_view rest, int64_t* id) {
  return TakeId(&rest, id) && rest.empty();
}

bool TakeTwoIds(std::string_view rest, int64_t* first, int64_t* second) {
  return TakeId(&rest, first) && TakeOneId(rest, second);
}

std::string Trimmed(const std::string& path) {
  const size_t first = path.find_first_not_of('/');
  if (first == std::string::npos) return {};
  return path.substr(first, path.find_last_not_of('/') - first + 1);
}

}  // namespace

CatalogKeys::CatalogKeys(const std::string& root_path, const std::string& meta_sub_path) {
  for (const std::string& path : {root_path, meta_sub_path}) {
    const std::string part = Trimmed(path);
    if (!part.empty()) prefix_ += part + "/";
  }
}

std::optional<CatalogKey> CatalogKeys::Parse(std::string_view key) const {
  using Kind = CatalogKey::Kind;
  if (!key.starts_with(prefix_)) return std::nullopt;
  key.remove_prefix(prefix_.size());
  CatalogKey out;
  const auto under = [&](std::string_view path, Kind kind) {
    if (!key.starts_with(path)) return false;
    key.remove_prefix(path.size());
    out.kind = kind;
    return true;
  };
  bool good = false;
  if (under(kDatabasePath, Kind::kDatabase) || under(kLoadPath, Kind::kLoad)) {
    good = TakeOneId(key, &out.owner);
  } else if (under(kCollectionPath, Kind::kCollection) || under(kFieldPath, Kind::kField) ||
             under(kFunctionPath, Kind::kFunction) || under(kPartitionPath, Kind::kPartition) ||
             under(kIndexPath, Kind::kIndex) || under(kPartitionLoadPath, Kind::kPartitionLoad)) {
    good = TakeTwoIds(key, &out.owner, &out.id);
  } else if (under(kLegacyCollectionPath, Kind::kCollection)) {
    out.owner = kLegacyDatabase;
    good = TakeOneId(key, &out.id);
  } else if (under(kAliasPath, Kind::kAlias)) {
    good = TakeId(&key, &out.owner) && !key.empty();
    out.alias = key;
  } else if (under(kLegacyAliasPath, Kind::kAlias)) {
    out.owner = kLegacyDatabase;
    good = !key.empty();
    out.alias = key;
  }
  if (!good) return std::nullopt;
  return out;
}

EtcdInterval CatalogKeys::Everything() const {
  return {prefix_ + "field-index/", prefix_ + "root-coord0"};  // '0' sorts right behind '/'
}

EtcdInterval CatalogKeys::Databases() const {
  return EtcdInterval::Prefix(prefix_ + std::string(kDatabasePath));
}

std::vector<EtcdInterval> CatalogKeys::OfCollection(
    CollectionId collection, const std::vector<DatabaseId>& databases) const {
  const std::string id = std::to_string(collection);
  const auto path = [&](std::string_view kind) { return prefix_ + std::string(kind) + id; };
  std::vector<EtcdInterval> out = {
      EtcdInterval::Prefix(path(kFieldPath) + "/"),
      EtcdInterval::Prefix(path(kFunctionPath) + "/"),
      EtcdInterval::Prefix(path(kPartitionPath) + "/"),
      EtcdInterval::Prefix(path(kIndexPath) + "/"),
      EtcdInterval::Key(path(kLoadPath)),
      EtcdInterval::Prefix(path(kPartitionLoadPath) + "/"),
      EtcdInterval::Key(path(kLegacyCollectionPath)),
  };
  for (const DatabaseId database : databases) {
    out.push_back(EtcdInterval::Key(prefix_ + std::string(kCollectionPath) +
                                    std::to_string(database) + "/" + id));
  }
  return out;
}

}  // namespace cdc
