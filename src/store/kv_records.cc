#include "store/kv_records.h"

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/format.h"
#include "base/json_text.h"
#include "base/percent.h"
#include "store/rbac_json.h"
#include "store/store_tables.h"
#include "store/task_json.h"

namespace cdc::kv {
namespace {

using nlohmann::json;

// Throws as json does; Decoded() turns that into an Error.
template <typename T>
T Number(const json& value) {
  T number{};
  const auto& text = value.get_ref<const std::string&>();
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) {
    throw std::out_of_range("'" + text + "' is not a number");
  }
  return number;
}

template <typename T>
T Number(const json& object, const char* member) {
  return object.contains(member) ? Number<T>(object.at(member)) : T{};
}

// Calls `read` with the object; what it throws becomes an Error.
template <typename Fn>
auto Decoded(const char* what, const std::string& text, Fn read) -> decltype(read(json())) {
  try {
    return read(json::parse(text));
  } catch (const std::exception& e) {
    return CorruptError(Format("the store's {} cannot be read: {}", what, e.what()));
  }
}

// Keys keep letters, digits and a few signs; everything else is written as %XX.
// A part of a key.
std::string Escaped(const std::string& text) {
  return PercentEncode(text, "-_.:");
}

json NameToJson(const TargetName& name) {
  return {{"database", name.database}, {"collection", name.collection}};
}

TargetName NameFromJson(const json& j) {
  return {j.value("database", ""), j.value("collection", "")};
}

std::string EncodeChannel(const ChannelCheckpoint& c) {
  return JsonLine({{"channel", c.channel},
                   {"seek", ToString(c.seek)},
                   {"filter", std::to_string(c.filter)},
                   {"fence", std::to_string(c.fence)}});
}

Status ReadChannel(const json& j, TaskProgress* progress) {
  ChannelCheckpoint c;
  c.channel = j.at("channel");
  CDC_ASSIGN_OR_RETURN(c.seek, ParseLogPosition(j.at("seek")));
  c.filter = Number<Timestamp>(j, "filter");
  c.fence = Number<Timestamp>(j, "fence");
  progress->channels[c.channel] = c;
  return OkStatus();
}

std::string EncodeObject(const ObjectRecord& o) {
  json partitions = json::object();
  for (const auto& [source, target] : o.partitions) {
    partitions[std::to_string(source)] = std::to_string(target);
  }
  json object = {{"source_id", std::to_string(o.source_id)},
                 {"name", NameToJson(o.name)},
                 {"target_id", std::to_string(o.target_id)},
                 {"created", std::to_string(o.created_ts)},
                 {"pchannels", o.pchannels},
                 {"partitions", std::move(partitions)}};
  if (!o.moving_to.collection.empty()) object["moving_to"] = NameToJson(o.moving_to);
  return JsonLine(object);
}

Status ReadObject(const json& j, TaskProgress* progress) {
  ObjectRecord o;
  o.source_id = Number<CollectionId>(j.at("source_id"));
  o.name = NameFromJson(j.at("name"));
  o.target_id = Number<CollectionId>(j, "target_id");
  o.created_ts = Number<Timestamp>(j, "created");
  o.pchannels = j.value("pchannels", o.pchannels);
  const json partitions = j.value("partitions", json::object());
  for (const auto& [source, target] : partitions.items()) {
    o.partitions[Number<PartitionId>(json(source))] = Number<PartitionId>(target);
  }
  if (j.contains("moving_to")) o.moving_to = NameFromJson(j.at("moving_to"));
  progress->objects[o.source_id] = std::move(o);
  return OkStatus();
}

std::string EncodeDatabase(const DatabaseRecord& d) {
  return JsonLine({{"source_id", std::to_string(d.source_id)},
                   {"source_name", d.source_name},
                   {"target_name", d.target_name},
                   {"ours", d.ours}});
}

Status ReadDatabase(const json& j, TaskProgress* progress) {
  DatabaseRecord d;
  d.source_id = Number<DatabaseId>(j.at("source_id"));
  d.source_name = j.at("source_name");
  d.target_name = j.at("target_name");
  d.ours = j.value("ours", false);
  progress->databases[d.source_id] = std::move(d);
  return OkStatus();
}

}  // namespace

// ---- head and tasks -----------------------------------------------------------------------------

std::string EncodeHead(const Head& head) {
  return JsonLine({{"format", head.format},
                   {"writer", head.writer},
                   {"commits", std::to_string(head.commits)},
                   {"created", std::to_string(head.created)},
                   {"journal", head.journal}});
}

Result<Head> DecodeHead(const std::string& text) {
  return Decoded("head", text, [](const json& j) -> Result<Head> {
    Head head;
    head.format = j.at("format");
    if (head.format > kFormat) return head;  // the rest is for others to understand
    head.writer = j.at("writer");
    head.commits = Number<uint64_t>(j, "commits");
    head.created = Number<uint64_t>(j, "created");
    head.journal = j.value("journal", uint64_t{0});
    return head;
  });
}

std::string TaskKey(const std::string& task) {
  return kTaskPrefix + Escaped(task);
}

std::string EncodeTask(const TaskRecord& record) {
  return JsonLine({{"id", record.id},
                   {"order", std::to_string(record.order)},
                   {"state", ToString(record.state)},
                   {"reason", record.reason},
                   {"token", record.token},
                   {"spec_parts", record.spec_parts}});
}

Result<TaskRecord> DecodeTask(const std::string& text) {
  return Decoded("task", text, [](const json& j) -> Result<TaskRecord> {
    TaskRecord record;
    record.id = j.at("id");
    record.order = Number<uint64_t>(j.at("order"));
    CDC_ASSIGN_OR_RETURN(record.state, ParseTaskState(j.at("state")));
    record.reason = j.value("reason", "");
    record.token = j.value("token", "");
    record.spec_parts = j.at("spec_parts");
    return record;
  });
}

std::string SpecPrefix(uint64_t order) {
  return Format("{}{}/", kSpecsPrefix, order);
}

std::string SpecKey(uint64_t order, uint64_t part) {
  return Format("{}{}", SpecPrefix(order), part);
}

uint64_t PutSpec(uint64_t order, const TaskSpec& spec, KvChanges* changes) {
  const std::string text = TaskSpecToJson(spec);
  uint64_t parts = 0;
  for (size_t at = 0; at < text.size(); at += kSpecPartBytes) {
    changes->keys[SpecKey(order, parts++)] = text.substr(at, kSpecPartBytes);
  }
  return parts;
}

Result<StoredTask> JoinTask(TaskRecord record, const std::map<std::string, std::string>& parts) {
  std::string text;
  for (uint64_t part = 0; part < record.spec_parts; ++part) {
    const auto at = parts.find(SpecKey(record.order, part));
    if (at == parts.end()) {
      return CorruptError(Format("the store lacks a part of the spec of task {}", record.id));
    }
    text += at->second;
  }
  StoredTask task;
  CDC_ASSIGN_OR_RETURN(task.spec, TaskSpecFromJson(text));
  task.spec.id = std::move(record.id);
  task.spec.target.token = std::move(record.token);
  task.state = record.state;
  task.reason = std::move(record.reason);
  return task;
}

// ---- progress -----------------------------------------------------------------------------------

std::string ProgressPrefix(uint64_t order) {
  return Format("progress/{}/", order);
}

std::string LanesPrefix(const std::string& target) {
  return Format("lane/{}/", Escaped(target));
}

void PutProgress(uint64_t order, const ProgressWrite& write, KvChanges* changes) {
  const std::string prefix = ProgressPrefix(order);
  const auto key = [&](const char* kind, const std::string& name) { return prefix + kind + name; };
  for (const ChannelCheckpoint& c : write.channels) {
    changes->keys[key("channel/", Escaped(c.channel))] = EncodeChannel(c);
  }
  if (write.operations.has_value()) {
    changes->keys[key("operations", "")] = JsonLine({{"seek", ToString(*write.operations)}});
  }
  if (write.source.has_value()) {
    changes->keys[key("source", "")] =
        JsonLine({{"cluster", std::to_string(write.source->cluster_id)},
                  {"revision", std::to_string(write.source->revision)}});
  }
  if (write.rbac.has_value()) changes->keys[key("rbac", "")] = RbacToJson(*write.rbac);
  // What is forgotten and named in one write keeps its new record.
  for (const CollectionId id : write.forgotten_objects) {
    changes->keys[key("object/", std::to_string(id))] = std::nullopt;
  }
  for (const ObjectRecord& o : write.objects) {
    changes->keys[key("object/", std::to_string(o.source_id))] = EncodeObject(o);
  }
  for (const DatabaseId id : write.forgotten_databases) {
    changes->keys[key("database/", std::to_string(id))] = std::nullopt;
  }
  for (const DatabaseRecord& d : write.databases) {
    changes->keys[key("database/", std::to_string(d.source_id))] = EncodeDatabase(d);
  }
  for (const LaneFence& lane : write.lanes) {
    changes->keys[LanesPrefix(write.target) + Escaped(lane.lane)] =
        JsonLine({{"lane", lane.lane}, {"fence", std::to_string(lane.fence)}});
  }
}

Status ReadProgress(const std::string& name, const std::string& value, TaskProgress* progress) {
  if (name == "rbac") {
    CDC_ASSIGN_OR_RETURN(progress->rbac, RbacFromJson(value));
    return OkStatus();
  }
  return Decoded("progress", value, [&](const json& j) -> Status {
    if (name.starts_with("channel/")) return ReadChannel(j, progress);
    if (name.starts_with("object/")) return ReadObject(j, progress);
    if (name.starts_with("database/")) return ReadDatabase(j, progress);
    if (name == "operations") {
      CDC_ASSIGN_OR_RETURN(const LogPosition seek, ParseLogPosition(j.at("seek")));
      progress->operations = seek;
      return OkStatus();
    }
    if (name == "source") {
      progress->source =
          SourceIdentity{Number<uint64_t>(j, "cluster"), Number<int64_t>(j, "revision")};
      return OkStatus();
    }
    return CorruptError(Format("the store's progress has an unknown part '{}'", name));
  });
}

Result<LaneFence> DecodeLane(const std::string& text) {
  return Decoded("lane fence", text, [](const json& j) -> Result<LaneFence> {
    return LaneFence{j.at("lane"), Number<Timestamp>(j.at("fence"))};
  });
}

// ---- journal ------------------------------------------------------------------------------------

std::string JournalKey(uint64_t number) {
  return Format("{}{}", kJournalPrefix, number);
}

// "P <bytes of key> <bytes of value>\n" key value, or "E <bytes of key>\n" key; one after another.
std::vector<std::string> EncodeJournal(const KvChanges& changes, size_t max_bytes) {
  std::vector<std::string> values;
  for (const auto& [key, value] : changes.keys) {
    const std::string entry = value ? Format("P {} {}\n", key.size(), value->size()) + key + *value
                                    : Format("E {}\n", key.size()) + key;
    if (values.empty() || values.back().size() + entry.size() > max_bytes) values.emplace_back();
    values.back() += entry;
  }
  return values;
}

Result<KvChanges> DecodeJournal(const std::string& text) {
  KvChanges changes;
  size_t at = 0;
  const auto number = [&](char until) -> std::optional<size_t> {
    size_t value = 0;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), value);
    if (error != std::errc() || end == text.data() + text.size() || *end != until) return {};
    at = static_cast<size_t>(end - text.data()) + 1;
    return value;
  };
  const auto take = [&](size_t bytes) {
    const std::string taken = text.substr(at, bytes);
    at += taken.size();
    return taken;
  };
  while (at < text.size()) {
    const bool put = text.compare(at, 2, "P ") == 0;
    if (!put && text.compare(at, 2, "E ") != 0)
      return CorruptError("the store's journal is damaged");
    at += 2;
    const auto key_bytes = number(put ? ' ' : '\n');
    const auto value_bytes = put && key_bytes ? number('\n') : std::optional<size_t>(0);
    if (!key_bytes || !value_bytes || *key_bytes > text.size() - at ||
        *value_bytes > text.size() - at - *key_bytes) {
      return CorruptError("the store's journal is damaged");
    }
    std::string key = take(*key_bytes);
    changes.keys[std::move(key)] =
        put ? std::optional<std::string>(take(*value_bytes)) : std::nullopt;
  }
  return changes;
}

}  // namespace cdc::kv
