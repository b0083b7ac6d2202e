// Router: which handler a path and a method belong to; the only place that decides on that.
//
// Filled once, before the first Find; Find is safe from any thread. HEAD is answered by what
// answers GET.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "server/http_server.h"

namespace cdc {

class Router {
 public:
  // `id`: what stands in the path for {id}, decoded; empty where the pattern has none.
  using Handler = std::function<HttpResponse(const HttpRequest& request, const std::string& id)>;

  struct Match {
    const Handler* handler = nullptr;  // null: no route
    std::string id;
    std::string pattern;               // of the path, as it was added; empty: no such path
    std::vector<std::string> allowed;  // the methods of the path, when it has not this one
  };

  // `pattern`: a path of which at most one segment is {id}, which matches any text but none.
  // `method` "*": whatever method.
  void Add(const std::string& method, const std::string& pattern, Handler handler);
  Match Find(const std::string& method, const std::string& path) const;

 private:
  struct Route {
    std::vector<std::string> segments;
    std::map<std::string, Handler> handlers;  // by method
  };
  std::map<std::string, Route> routes_;  // by pattern
};

}  // namespace cdc
