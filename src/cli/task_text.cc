#include "cli/task_text.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/format.h"
#include "base/json_text.h"
#include "cli/table.h"
#include "cli/time_text.h"

namespace cdc {
namespace {

using nlohmann::json;

constexpr const char* kNone = "-";

// A value as a word: text as it is, null and nothing as '-'.
std::string Word(const json& value) {
  if (value.is_null()) return kNone;
  if (!value.is_string()) return JsonLine(value);
  const auto& text = value.get_ref<const std::string&>();
  return text.empty() ? kNone : text;
}

std::string WordOf(const json& object, std::initializer_list<const char*> keys) {
  return Word(Member(object, keys));
}

int64_t Whole(const json& value) {
  return value.is_number() ? value.get<int64_t>() : 0;
}

uint64_t CountOf(const json& task, const char* counter) {
  const json& value = Member(task, {"counters", counter});
  return value.is_number() ? value.get<uint64_t>() : 0;
}

std::string Instant(const json& ms) {
  return ms.is_number() ? InstantText(Whole(ms)) : std::string(kNone);
}

std::string Duration(const json& ms) {
  return ms.is_number() ? DurationText(Whole(ms)) : std::string(kNone);
}

std::string BytesText(uint64_t bytes) {
  constexpr const char* kUnits[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  auto amount = static_cast<double>(bytes);
  size_t unit = 0;
  while (amount >= 1024 && unit + 1 < std::size(kUnits)) {
    amount /= 1024;
    ++unit;
  }
  char text[64];
  std::snprintf(text, sizeof(text), unit == 0 ? "%.0f %s" : "%.1f %s", amount, kUnits[unit]);
  return text;
}

std::string QualifiedName(const json& collection, const char* db, const char* name) {
  return WordOf(collection, {db}) + "." + WordOf(collection, {name});
}

std::string Joined(const json& list) {
  if (!list.is_array()) return kNone;
  std::string text;
  for (const json& item : list) text += (text.empty() ? "" : ", ") + Word(item);
  return text.empty() ? kNone : text;
}

std::string MappingText(const json& mappings) {
  if (!mappings.is_array()) return kNone;
  std::string text;
  const auto add = [&](const std::string& pair) { text += (text.empty() ? "" : ", ") + pair; };
  for (const json& mapping : mappings) {
    const std::string source = WordOf(mapping, {"source_db"});
    const std::string target = WordOf(mapping, {"target_db"});
    const json& collections = Member(mapping, {"collection_mapping"});
    if (!collections.is_object() || collections.empty()) add(source + ".* to " + target + ".*");
    if (!collections.is_object()) continue;
    for (const auto& [from, to] : collections.items()) {
      add(source + "." + from + " to " + target + "." + Word(to));
    }
  }
  return text.empty() ? kNone : text;
}

// "name   value" lines with the values under one another.
class Facts {
 public:
  void Add(const std::string& name, const std::string& value) {
    constexpr size_t kColumn = 14;
    std::string label = name;
    label.resize(std::max(kColumn, label.size() + 1), ' ');
    text_ += label + Printable(value) + "\n";
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void AddWhatIsCopied(const json& task, Facts* facts) {
  facts->Add("mode", WordOf(task, {"mode"}) + ": " + WordOf(task, {"mode_reason"}));
  const std::string uri = WordOf(task, {"target", "uri"});
  facts->Add("target", WordOf(task, {"target", "kind"}) + (uri == kNone ? "" : " at " + uri));
  facts->Add("copies", Joined(Member(task, {"selection", "includes"})));
  facts->Add("leaves out", Joined(Member(task, {"selection", "excludes"})));
  facts->Add("renames", MappingText(Member(task, {"selection", "name_mapping"})));
}

std::string SinceText(const json& since_ms, int64_t now_ms) {
  if (!since_ms.is_number()) return "";
  return Format(" since {} ({})", Instant(since_ms), DurationText(now_ms - Whole(since_ms)));
}

void AddHealth(const json& task, int64_t now_ms, Facts* facts) {
  const json& health = Member(task, {"health"});
  facts->Add("health",
             WordOf(health, {"status"}) + SinceText(Member(health, {"since_ms"}), now_ms));
  if (WordOf(health, {"reason"}) == kNone) return;
  facts->Add("trouble", WordOf(health, {"reason"}));
  const json& next = Member(health, {"next_attempt_ms"});
  std::string tried = WordOf(health, {"retries"}) + " times";
  if (next.is_number()) tried += ", again at " + Instant(next);
  facts->Add("tried", tried);
}

std::string HeadroomText(const json& headroom) {
  if (!headroom.is_object()) return "not known";
  const json& bytes = Member(headroom, {"bytes"});
  return Format("{}, {}", DurationText(1000 * Whole(Member(headroom, {"seconds"}))),
                BytesText(bytes.is_number() ? bytes.get<uint64_t>() : 0));
}

// Of a Task or of a plan, whose collections have no state.
std::string CollectionsText(const json& collections, bool planned) {
  std::vector<TableColumn> columns = {{"SOURCE"}, {"TARGET"}};
  if (!planned) columns.insert(columns.end(), {{"STATE"}, {"LAG", true}});
  Table table(columns);
  for (const json& one : collections) {
    std::vector<std::string> cells = {QualifiedName(one, "source_db", "source_collection"),
                                      QualifiedName(one, "target_db", "target_collection")};
    if (!planned) {
      cells.push_back(WordOf(one, {"state"}));
      cells.push_back(Duration(Member(one, {"lag_ms"})));
    }
    table.Add(std::move(cells));
  }
  return table.Text(0);
}

std::string TransitionsText(const json& transitions) {
  Table table({{"CHANGED AT"}, {"FROM"}, {"TO"}, {"REASON"}});
  for (const json& one : transitions) {
    table.Add({Instant(Member(one, {"at_ms"})), WordOf(one, {"from"}), WordOf(one, {"to"}),
               WordOf(one, {"reason"})});
  }
  return table.Text(0);
}

bool HasItems(const json& list) {
  return list.is_array() && !list.empty();
}

std::string RateText(std::optional<double> rows_per_second) {
  if (!rows_per_second) return kNone;
  char text[64];
  std::snprintf(text, sizeof(text), *rows_per_second < 10 ? "%.1f" : "%.0f", *rows_per_second);
  return text;
}

}  // namespace

const json& Member(const json& value, std::initializer_list<const char*> keys) {
  static const json kNull;
  const json* at = &value;
  for (const char* key : keys) {
    if (!at->is_object()) return kNull;
    const auto found = at->find(key);
    if (found == at->end()) return kNull;
    at = &*found;
  }
  return *at;
}

std::string StateOf(const json& task) {
  const json& state = Member(task, {"state"});
  return state.is_string() ? state.get<std::string>() : "";
}

std::string ReasonOf(const json& task) {
  for (const json* reason : {&Member(task, {"health", "reason"}), &Member(task, {"reason"})}) {
    if (reason->is_string() && !reason->empty() && *reason != "") return Word(*reason);
  }
  return "";
}

int64_t SafeTimeMs(const json& task) {
  return Whole(Member(task, {"safe_time_ms"}));
}

uint64_t RowsOf(const json& task) {
  return CountOf(task, "rows_inserted") + CountOf(task, "rows_deleted");
}

std::string TaskListText(const json& tasks, int width) {
  if (!HasItems(tasks)) return "no tasks\n";
  Table table({{"ID", false, true},
               {"STATE", false, true},
               {"MODE", false, true},
               {"LAG", true, true},
               {"COLLECTIONS", true},
               {"TARGET"},
               {"REASON"}});
  for (const json& task : tasks) {
    const json& uri = Member(task, {"target", "uri"});
    table.Add({WordOf(task, {"id"}), WordOf(task, {"state"}), WordOf(task, {"mode"}),
               Duration(Member(task, {"lag_ms"})), WordOf(task, {"collection_count"}),
               uri.is_string() ? Word(uri) : WordOf(task, {"target", "kind"}), ReasonOf(task)});
  }
  return table.Text(width);
}

std::string TaskText(const json& task, int64_t now_ms) {
  Facts facts;
  facts.Add("id", WordOf(task, {"id"}));
  facts.Add("state", WordOf(task, {"state"}) + SinceText(Member(task, {"since_ms"}), now_ms));
  if (WordOf(task, {"reason"}) != kNone) facts.Add("reason", WordOf(task, {"reason"}));
  AddHealth(task, now_ms, &facts);
  AddWhatIsCopied(task, &facts);
  facts.Add("lag", Duration(Member(task, {"lag_ms"})));
  facts.Add("safe time", Instant(Member(task, {"safe_time_ms"})));
  facts.Add("read with", WordOf(task, {"target_ts"}) == "0"
                             ? "consistency Strong"
                             : "guarantee timestamp " + WordOf(task, {"target_ts"}));
  facts.Add("log before it", HeadroomText(Member(task, {"log_headroom"})));
  facts.Add("rows", Format("{} inserted, {} deleted, {} replayed; {}",
                           CountOf(task, "rows_inserted"), CountOf(task, "rows_deleted"),
                           CountOf(task, "rows_replayed"), BytesText(CountOf(task, "bytes"))));
  std::string text = facts.text();
  const json& collections = Member(task, {"collections"});
  if (HasItems(collections)) text += "\n" + CollectionsText(collections, false);
  const json& transitions = Member(task, {"transitions"});
  if (HasItems(transitions)) text += "\n" + TransitionsText(transitions);
  return text;
}

std::string TaskOutcome(const json& task) {
  std::string text = Format("task {} is {}", WordOf(task, {"id"}), WordOf(task, {"state"}));
  const std::string reason = ReasonOf(task);
  if (!reason.empty()) text += ": " + reason;
  return Printable(text);
}

std::string PlanText(const json& plan) {
  Facts facts;
  const json& id = Member(plan, {"id"});
  facts.Add("id", id.is_string() ? Word(id) : "made by the server");
  if (Member(plan, {"exists"}) == true) {
    facts.Add("exists", "yes: a task of this id is there already and would stay as it is");
  }
  AddWhatIsCopied(plan, &facts);
  const json& collections = Member(plan, {"collections"});
  std::string text = facts.text();
  text += HasItems(collections) ? "\n" + CollectionsText(collections, true)
                                : "\nThe source holds none of these collections yet.\n";
  return text + "\nThis was a dry run: nothing was stored or started.\n";
}

std::string PositionsText(const json& answer) {
  Table table({{"COLLECTION"}, {"CHANNEL"}, {"TIME"}, {"POSITION"}});
  const json& positions = Member(answer, {"positions"});
  for (const json& one : positions) {
    table.Add({WordOf(one, {"collection_id"}), WordOf(one, {"channel"}),
               Instant(Member(one, {"time_ms"})), WordOf(one, {"position"})});
  }
  const json& operations = Member(answer, {"operations"});
  if (operations.is_object()) {
    table.Add(
        {"operations", WordOf(operations, {"channel"}), kNone, WordOf(operations, {"position"})});
  }
  if (!HasItems(positions) && !operations.is_object()) return "no positions yet\n";
  return table.Text(0);
}

std::string WatchLine(const json& task, std::optional<double> rows_per_second, int width) {
  const int64_t safe = SafeTimeMs(task);
  std::string line =
      Format("{}  {}  lag {}  {} rows/s  {} collections  safe {}", WordOf(task, {"id"}),
             WordOf(task, {"state"}), Duration(Member(task, {"lag_ms"})), RateText(rows_per_second),
             WordOf(task, {"collection_count"}), safe == 0 ? kNone : InstantText(safe));
  const std::string reason = ReasonOf(task);
  if (!reason.empty()) line += "  " + reason;
  return width > 0 ? Cut(line, width) : Printable(line);
}

}  // namespace cdc
