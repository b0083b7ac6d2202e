#include "cli/create_request.h"

#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/format.h"
#include "base/json_text.h"

namespace cdc {
namespace {

using nlohmann::json;

constexpr const char* kDefaultDatabase = "default";

struct Name {
  std::string database;
  std::string collection;  // empty: the whole database
};

// "db.collection"; `bare` says what a name without a dot is.
enum class Bare { kCollection, kDatabase };

Result<Name> ParseName(const char* flag, const std::string& text, Bare bare) {
  const size_t dot = text.find('.');
  if (dot == std::string::npos && !text.empty()) {
    return bare == Bare::kDatabase ? Name{text, ""} : Name{kDefaultDatabase, text};
  }
  if (text.empty() || dot == 0 || dot + 1 == text.size() ||
      text.find('.', dot + 1) != std::string::npos) {
    return InvalidError(Format("{}: '{}' is not of the form {}", flag, text,
                               bare == Bare::kDatabase ? "'db' or 'db.collection'"
                                                       : "'collection' or "
                                                         "'db.collection'"));
  }
  return Name{text.substr(0, dot), text.substr(dot + 1)};
}

Status AddSelection(const CreateFlags& flags, json* request) {
  json databases = json::object();
  for (const std::string& text : flags.databases) {
    CDC_ASSIGN_OR_RETURN(const Name name, ParseName("--databases", text, Bare::kDatabase));
    if (!name.collection.empty()) {
      return InvalidError(
          Format("--databases: '{}' is a collection; select it with --collections", text));
    }
    databases[name.database].push_back({{"name", "*"}});
  }
  for (const std::string& text : flags.collections) {
    CDC_ASSIGN_OR_RETURN(const Name name, ParseName("--collections", text, Bare::kCollection));
    databases[name.database].push_back({{"name", name.collection}});
  }
  if (databases.empty()) {
    return InvalidError(
        "say what to copy: --collections db.name, --databases db, or everything with "
        "--databases '*'");
  }
  (*request)["db_collections"] = std::move(databases);
  return OkStatus();
}

Status AddExcludes(const CreateFlags& flags, json* request) {
  for (const std::string& text : flags.excludes) {
    CDC_ASSIGN_OR_RETURN(const Name name, ParseName("--exclude", text, Bare::kCollection));
    (*request)["exclude_collections"].push_back(name.database + "." + name.collection);
  }
  return OkStatus();
}

Status AddMappings(const CreateFlags& flags, json* request) {
  std::map<std::pair<std::string, std::string>, json> mappings;  // by source and target database
  for (const std::string& text : flags.mappings) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos || text.find('=', equals + 1) != std::string::npos) {
      return InvalidError(
          Format("--name-mapping: '{}' is not of the form 'db=db' or 'db.collection=db.collection'",
                 text));
    }
    CDC_ASSIGN_OR_RETURN(const Name from,
                         ParseName("--name-mapping", text.substr(0, equals), Bare::kDatabase));
    CDC_ASSIGN_OR_RETURN(const Name to,
                         ParseName("--name-mapping", text.substr(equals + 1), Bare::kDatabase));
    if (from.collection.empty() != to.collection.empty()) {
      return InvalidError(Format(
          "--name-mapping: '{}' has a database on one side and a collection on the other", text));
    }
    json& pairs = mappings[{from.database, to.database}];
    const std::string source = from.collection.empty() ? "*" : from.collection;
    if (pairs.contains(source)) {
      return InvalidError(Format("--name-mapping: '{}' is mapped twice", text.substr(0, equals)));
    }
    pairs[source] = to.collection.empty() ? "*" : to.collection;
  }
  for (auto& [databases, pairs] : mappings) {
    (*request)["name_mapping"].push_back({{"source_db", databases.first},
                                          {"target_db", databases.second},
                                          {"collection_mapping", std::move(pairs)}});
  }
  return OkStatus();
}

}  // namespace

Result<std::string> CreateBody(const CreateFlags& flags) {
  if (flags.target_uri.empty()) {
    return InvalidError(
        "say where to: --target-uri http://host:19530, or --file for a whole request");
  }
  json request = json::object();
  request["milvus_connect_param"]["uri"] = flags.target_uri;
  if (!flags.target_token.empty()) {
    request["milvus_connect_param"]["token"] = flags.target_token;
  }
  if (!flags.mode.empty()) request["milvus_connect_param"]["mode"] = flags.mode;
  CDC_RETURN_IF_ERROR(AddSelection(flags, &request));
  CDC_RETURN_IF_ERROR(AddExcludes(flags, &request));
  CDC_RETURN_IF_ERROR(AddMappings(flags, &request));
  if (!flags.task_id.empty()) request["task_id"] = flags.task_id;
  if (!flags.load.empty()) request["load"] = flags.load;
  if (!flags.drops.empty()) request["drops"] = flags.drops;
  if (flags.adopt) request["adopt"] = true;
  if (flags.no_auto_start) request["disable_auto_start"] = true;
  return JsonLine(request);
}

Result<std::string> CreateBodyOf(const std::string& text) {
  json request = json::parse(text, nullptr, false);
  if (!request.is_object()) {
    return InvalidError("--file: the request must be one JSON object, as POST /cdc takes it");
  }
  if (request.contains("request_type") && request["request_type"] != "create") {
    return InvalidError("--file: the request is of another type than 'create'");
  }
  if (request.contains("request_type") || request.contains("request_data")) {
    if (!request.contains("request_data") || !request["request_data"].is_object()) {
      return InvalidError("--file: the create request holds no object 'request_data'");
    }
    request = json(request["request_data"]);
  }
  return JsonLine(request);
}

}  // namespace cdc
