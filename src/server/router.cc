#include "server/router.h"

#include <algorithm>
#include <utility>

#include "base/percent.h"

namespace cdc {
namespace {

constexpr char kId[] = "{id}";

std::vector<std::string> Split(const std::string& path) {
  std::vector<std::string> segments;
  for (size_t begin = 0; begin <= path.size();) {
    const size_t end = std::min(path.find('/', begin), path.size());
    segments.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

bool Matches(const std::vector<std::string>& pattern, const std::vector<std::string>& path,
             std::string* id) {
  if (pattern.size() != path.size()) return false;
  for (size_t i = 0; i < path.size(); ++i) {
    if (pattern[i] == kId && !path[i].empty()) {
      *id = PercentDecode(path[i]);
    } else if (pattern[i] != path[i]) {
      return false;
    }
  }
  return true;
}

}  // namespace

void Router::Add(const std::string& method, const std::string& pattern, Handler handler) {
  Route& route = routes_[pattern];
  route.segments = Split(pattern);
  route.handlers[method] = std::move(handler);
}

Router::Match Router::Find(const std::string& method, const std::string& path) const {
  Match match;
  const std::vector<std::string> segments = Split(path);
  for (const auto& [pattern, route] : routes_) {
    std::string id;
    if (!Matches(route.segments, segments, &id)) continue;
    match.id = std::move(id);
    match.pattern = pattern;
    for (const std::string& wanted : {method == "HEAD" ? "GET" : method, std::string("*")}) {
      const auto it = route.handlers.find(wanted);
      if (it == route.handlers.end()) continue;
      match.handler = &it->second;
      return match;
    }
    for (const auto& [name, handler] : route.handlers) {
      match.allowed.push_back(name);
      if (name == "GET") match.allowed.push_back("HEAD");
    }
    return match;
  }
  return match;
}

}  // namespace cdc
