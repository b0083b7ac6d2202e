#include "model/task.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/name_list.h"

namespace cdc {
namespace {

bool MatchFrom(std::string_view pattern, std::string_view text) {
  // Greedy with one backtrack point: linear for a single '*', quadratic at worst.
  size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

}  // namespace

bool MatchPattern(const std::string& pattern, const std::string& text) {
  return MatchFrom(pattern, text);
}

// Goes through the ends of both, from the shortest, so that many '*' cost no more than few.
bool PatternsOverlap(const std::string& a, const std::string& b) {
  // Do a from `i` on and b from `j` on overlap? One row for each i, of which the next is `after`.
  std::vector<char> row(b.size() + 1), after(b.size() + 1);
  for (size_t i = a.size() + 1; i-- > 0;) {
    for (size_t j = b.size() + 1; j-- > 0;) {
      const bool in_a = i < a.size(), in_b = j < b.size();
      if ((in_a && a[i] == '*') || (in_b && b[j] == '*')) {
        row[j] = (in_a && after[j] != 0) || (in_b && row[j + 1] != 0);
      } else if (in_a && in_b) {
        row[j] = a[i] == b[j] && after[j + 1] != 0;
      } else {
        row[j] = !in_a && !in_b;
      }
    }
    std::swap(row, after);
  }
  return after[0] != 0;
}

std::string TargetAddress::host_and_port() const {
  const bool bare_v6 = host.find(':') != std::string::npos && host.front() != '[';
  return (bare_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

std::string ToString(const Selection& selection) {
  std::vector<std::string> names;
  for (const NamePattern& include : selection.includes) {
    names.push_back(include.database + "." + include.collection);
  }
  return NameList(names);
}

bool Selection::Matches(const std::string& database, const std::string& collection) const {
  const auto hit = [&](const NamePattern& p) {
    return MatchPattern(p.database, database) && MatchPattern(p.collection, collection);
  };
  return std::any_of(includes.begin(), includes.end(), hit) &&
         std::none_of(excludes.begin(), excludes.end(), hit);
}

bool Selection::MatchesWholeDatabase(const std::string& database) const {
  const auto whole = [&](const NamePattern& p) {
    return p.collection == "*" && MatchPattern(p.database, database);
  };
  return std::any_of(includes.begin(), includes.end(), whole) &&
         std::none_of(excludes.begin(), excludes.end(), whole);
}

std::string Selection::MapDatabase(const std::string& database) const {
  const NameMapping* any = nullptr;
  for (const NameMapping& m : mappings) {
    if (m.source_db != database) continue;
    if (m.collections.empty() || m.collections.contains("*")) return m.target_db;
    if (any == nullptr) any = &m;
  }
  return any == nullptr ? database : any->target_db;
}

std::string ToString(const TargetName& name) {
  return name.database + "." + name.collection;
}

TargetName Selection::Map(const std::string& database, const std::string& collection) const {
  // An exact collection mapping wins over a mapping of the whole database.
  for (const NameMapping& m : mappings) {
    if (m.source_db != database) continue;
    const auto it = m.collections.find(collection);
    if (it != m.collections.end()) return {m.target_db, it->second};
  }
  return {MapDatabase(database), collection};
}

std::string ToString(TargetMode mode) {
  switch (mode) {
    case TargetMode::kAuto:
      return "auto";
    case TargetMode::kReplicate:
      return "replicate";
    case TargetMode::kApi:
      return "api";
    case TargetMode::kBlackhole:
      return "blackhole";
  }
  return "?";
}

Result<TargetMode> ParseTargetMode(const std::string& text) {
  if (text.empty() || text == "auto") return TargetMode::kAuto;
  if (text == "replicate") return TargetMode::kReplicate;
  if (text == "api") return TargetMode::kApi;
  if (text == "blackhole") return TargetMode::kBlackhole;
  return InvalidError("mode '" + text + "' is unknown; use auto, replicate or api");
}

std::string ToString(TaskState state) {
  switch (state) {
    case TaskState::kInitial:
      return "Initial";
    case TaskState::kRunning:
      return "Running";
    case TaskState::kPaused:
      return "Paused";
  }
  return "?";
}

}  // namespace cdc
