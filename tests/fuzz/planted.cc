#include "planted.h"

#include <nlohmann/json.hpp>

#include "server/json_fields.h"
#include "server/nearest.h"

namespace cdc::fuzz {

const std::string kPlanted = "planted-s3cret";

namespace {

using nlohmann::json;

// Within the parameters of a connection every token and password is one.
bool PlantInConnection(json* value) {
  bool planted = false;
  if (!value->is_object()) return false;
  for (auto& [key, member] : value->items()) {
    const std::string name = LowerCase(key);
    const bool secret = name == "token" || name == "password";
    if (secret && member.is_string() && !member.get_ref<const std::string&>().empty()) {
      member = kPlanted;
      planted = true;
    } else {
      planted = PlantInConnection(&member) || planted;
    }
  }
  return planted;
}

bool PlantInData(json* data) {
  bool planted = false;
  if (!data->is_object()) return false;
  for (auto& [key, member] : data->items()) {
    const std::string name = LowerCase(key);
    if (name == "milvus_connect_param" || name == "kafka_connect_param") {
      planted = PlantInConnection(&member) || planted;
    }
  }
  return planted;
}

// As ParseJsonObject does, which limits the depth.
json Read(const std::string& body) {
  if (body.find(kPlanted) != std::string::npos) return {};
  Result<json> root = ParseJsonObject(body);
  return root.ok() ? *std::move(root) : json();
}

}  // namespace

std::string PlantInRequest(const std::string& body) {
  json root = Read(body);
  bool planted = false;
  if (!root.is_object()) return "";
  for (auto& [key, member] : root.items()) {
    if (LowerCase(key) == "request_data") planted = PlantInData(&member) || planted;
  }
  return planted ? root.dump() : "";
}

std::string PlantInTask(const std::string& body) {
  json root = Read(body);
  return PlantInData(&root) ? root.dump() : "";
}

}  // namespace cdc::fuzz
