#include "server/overlap.h"

#include <algorithm>
#include <string>

namespace cdc {
namespace {

// Does `outer` match everything that `inner` matches? Sound for patterns: a '*' of `inner`, read as
// a character, can be matched by a '*' of `outer` only.
bool Covers(const NamePattern& outer, const NamePattern& inner) {
  return MatchPattern(outer.database, inner.database) &&
         MatchPattern(outer.collection, inner.collection);
}

bool Overlaps(const NamePattern& a, const NamePattern& b) {
  return PatternsOverlap(a.database, b.database) && PatternsOverlap(a.collection, b.collection);
}

// Is what a and b have in common excluded by `excludes`?
bool Excluded(const std::vector<NamePattern>& excludes, const NamePattern& a,
              const NamePattern& b) {
  return std::any_of(excludes.begin(), excludes.end(), [&](const NamePattern& exclude) {
    return Covers(exclude, a) || Covers(exclude, b);
  });
}

}  // namespace

Status ResolveOverlap(const std::vector<Selection>& existing, Selection* fresh) {
  std::vector<NamePattern> excludes = fresh->excludes;
  std::string duplicates;
  for (const NamePattern& include : fresh->includes) {
    for (const Selection& other : existing) {
      for (const NamePattern& taken : other.includes) {
        if (!Overlaps(include, taken) || Excluded(other.excludes, include, taken) ||
            Excluded(excludes, include, taken)) {
          continue;
        }
        if (Covers(include, taken) && !(include == taken)) {
          excludes.push_back(taken);
        } else {
          duplicates +=
              (duplicates.empty() ? "" : " ") + include.database + "." + include.collection;
        }
      }
    }
  }
  if (!duplicates.empty()) {
    return FatalError("the collection name is duplicate with existing task, [" + duplicates + "]",
                      ErrorKind::kConflict);
  }
  fresh->excludes = std::move(excludes);
  return OkStatus();
}

}  // namespace cdc
