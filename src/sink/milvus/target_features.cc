#include "sink/milvus/target_features.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "base/format.h"

namespace cdc {
namespace {

using Version = std::pair<int, int>;  // major, minor

constexpr Version kMilvus24{2, 4};
constexpr Version kMilvus25{2, 5};

// "2.3.5", "v2.5.15-gpu"
std::optional<Version> ParseVersion(std::string_view text) {
  if (text.starts_with("v")) text.remove_prefix(1);
  const char* const end = text.data() + text.size();
  Version version;
  const auto major = std::from_chars(text.data(), end, version.first);
  if (major.ec != std::errc() || major.ptr == end || *major.ptr != '.') return std::nullopt;
  const auto minor = std::from_chars(major.ptr + 1, end, version.second);
  if (minor.ec != std::errc()) return std::nullopt;
  return version;
}

Version NeededFor(int32_t data_type) {
  switch (data_type) {
    case 103:  // bfloat16
    case 104:  // sparse
      return kMilvus24;
    case 105:  // int8 vector
      return kMilvus25;
    default:
      return {};
  }
}

}  // namespace

std::string MissingFeature(const CollectionSchema& schema, const std::string& version) {
  const std::optional<Version> has = ParseVersion(version);
  if (!has) return {};
  const auto lacks = [&](Version needed, const std::string& what) {
    if (*has >= needed) return std::string();
    return Format("{}, which needs Milvus {}.{}; the target is {}", what, needed.first,
                  needed.second, version);
  };
  for (const Function& function : schema.functions) {
    const std::string what =
        Format("function '{}' ({}) makes field '{}'", function.name,
               function.type == 1 ? "BM25" : "type " + std::to_string(function.type),
               function.outputs.empty() ? "" : function.outputs.front());
    if (const std::string missing = lacks(kMilvus25, what); !missing.empty()) return missing;
  }
  for (const Field& field : schema.fields) {
    std::string missing =
        lacks(NeededFor(field.data_type),
              Format("field '{}' is of type {}", field.name, DataTypeName(field.data_type)));
    if (missing.empty() && field.nullable) {
      missing = lacks(kMilvus25, Format("field '{}' of type {} is nullable", field.name,
                                        DataTypeName(field.data_type)));
    }
    if (!missing.empty()) return missing;
  }
  return {};
}

}  // namespace cdc
