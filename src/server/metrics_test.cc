// The server, docs/operations/monitoring.md, the alert rules and the dashboard speak of the same
// metrics.
#include "server/metrics.h"

#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>
#include <sstream>

namespace cdc {
namespace {

using nlohmann::json;

std::string ReadDocument(const std::string& name) {
  const auto path = std::filesystem::path(__FILE__).parent_path() / "../../docs/operations" / name;
  std::ifstream file(path);
  EXPECT_TRUE(file.good()) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Metric {
  std::string type;
  std::set<std::string> labels;
  bool operator==(const Metric&) const = default;
};
using MetricList = std::map<std::string, Metric>;

std::ostream& operator<<(std::ostream& out, const Metric& metric) {
  out << metric.type;
  for (const std::string& label : metric.labels) out << " " << label;
  return out;
}

std::set<std::string> FindAll(const std::string& text, const std::string& pattern) {
  std::set<std::string> found;
  const std::regex regex(pattern);
  for (std::sregex_iterator at(text.begin(), text.end(), regex), end; at != end; ++at) {
    found.insert((*at)[1]);
  }
  return found;
}

// What stands behind the name in the series of a histogram.
std::string WithoutSuffix(const std::string& name, const MetricList& known) {
  for (const std::string suffix : {"_bucket", "_sum", "_count"}) {
    if (!name.ends_with(suffix)) continue;
    const std::string base = name.substr(0, name.size() - suffix.size());
    const auto it = known.find(base);
    if (it != known.end() && it->second.type == "histogram") return base;
  }
  return name;
}

// Everything that the server can tell.
MetricList Exposed() {
  TaskStatus task;
  task.id = "t";
  task.health = Health::kWarning;
  task.health_since_ms = 1;
  task.channels = {{"ch", 1, 1}};
  task.counters.calls["write"] = 1;
  task.log_headroom_seconds = 1;
  Metrics metrics("1.0");
  metrics.CountRequest("list", "total");
  metrics.ObserveLatency("list", 1);
  metrics.CountHttp("/cdc", "POST", 200, 1);
  std::istringstream text(metrics.Render({task}));
  MetricList all;
  for (std::string line; std::getline(text, line);) {
    std::istringstream words(line);
    std::string hash, keyword, name, type;
    words >> hash >> keyword >> name >> type;
    if (hash == "#" && keyword == "TYPE") all[name].type = type;
    if (hash.starts_with("#")) continue;
    const std::string series = line.substr(0, line.find_first_of("{ "));
    std::set<std::string> labels = FindAll(line, R"re((\w+)=")re");
    labels.erase("le");
    all[WithoutSuffix(series, all)].labels = labels;
  }
  return all;
}

MetricList Documented() {
  MetricList all;
  std::istringstream text(ReadDocument("monitoring.md"));
  const std::regex row(R"(^\| `(milvus_cdc_\w+)` \| (\w+) \| ([^|]*) \| [^|]+ \|$)");
  for (std::string line; std::getline(text, line);) {
    std::smatch match;
    if (!line.starts_with("| `milvus_cdc_")) continue;
    EXPECT_TRUE(std::regex_match(line, match, row)) << line;
    EXPECT_FALSE(all.contains(match[1])) << line;
    all[match[1]] = {match[2], FindAll(match[3], "`(\\w+)`")};
  }
  return all;
}

// The first of `used` that is not in `known`; empty: all are.
std::string Foreign(const std::set<std::string>& used, const std::set<std::string>& known) {
  for (const std::string& one : used) {
    if (!known.contains(one)) return one;
  }
  return "";
}

// What is wrong with a PromQL expression: a metric that is not documented, a label that none of its
// metrics has, a parenthesis too many. Empty: nothing.
std::string WrongWith(const std::string& expression, const MetricList& known) {
  std::set<std::string> labels{"instance", "job", "le"};  // Prometheus' own
  for (const std::string& name : FindAll(expression, R"((milvus_cdc_\w+))")) {
    const auto it = known.find(WithoutSuffix(name, known));
    if (it == known.end()) return "metric " + name;
    labels.insert(it->second.labels.begin(), it->second.labels.end());
  }
  std::set<std::string> used = FindAll(expression, R"re((\w+)(?:=~|!~|!=|=)")re");
  for (const std::string& list : FindAll(expression, R"((?:by|on|ignoring) \(([^)]*)\))")) {
    used.merge(FindAll(list, R"((\w+))"));
  }
  if (const std::string label = Foreign(used, labels); !label.empty()) return "label " + label;
  for (const std::string pair : {"()", "{}", "[]"}) {
    const auto count = [&](char c) { return std::count(expression.begin(), expression.end(), c); };
    if (count(pair[0]) != count(pair[1])) return "unbalanced " + pair;
  }
  return "";
}

TEST(MonitoringTest, EveryMetricIsDocumentedAndNoOther) {
  const MetricList documented = Documented();
  EXPECT_GT(documented.size(), 15u);
  EXPECT_EQ(documented, Exposed());
}

TEST(MonitoringTest, AlertsAreWhole) {
  const MetricList known = Documented();
  std::set<std::string> names;
  for (const YAML::Node& group : YAML::Load(ReadDocument("alerts.yml"))["groups"]) {
    EXPECT_TRUE(group["name"].IsScalar());
    for (const YAML::Node& rule : group["rules"]) {
      const std::string name = rule["alert"].as<std::string>("");
      EXPECT_TRUE(names.insert(name).second) << name;
      for (const auto& member : rule) {
        const auto key = member.first.as<std::string>();
        EXPECT_TRUE(
            (std::set<std::string>{"alert", "expr", "for", "labels", "annotations"}.contains(key)))
            << name << " " << key;
      }
      EXPECT_EQ(WrongWith(rule["expr"].as<std::string>(""), known), "") << name;
      const std::string wait = rule["for"].as<std::string>("0m");
      EXPECT_TRUE(std::regex_match(wait, std::regex("[0-9]+[smh]"))) << name;
      EXPECT_TRUE(std::regex_match(rule["labels"]["severity"].as<std::string>(""),
                                   std::regex("critical|warning|info")))
          << name;
      for (const char* key : {"summary", "description"}) {
        EXPECT_NE(rule["annotations"][key].as<std::string>(""), "") << name;
      }
    }
  }
  EXPECT_GE(names.size(), 6u);
}

TEST(MonitoringTest, DashboardIsWhole) {
  const MetricList known = Documented();
  const json dashboard = json::parse(ReadDocument("grafana-dashboard.json"));
  std::set<std::string> variables{"__rate_interval"};
  for (const json& variable : dashboard["templating"]["list"]) variables.insert(variable["name"]);
  std::set<int> ids;
  std::set<std::pair<int, int>> places;
  std::string all;
  for (const json& panel : dashboard["panels"]) {
    EXPECT_TRUE(ids.insert(panel["id"].get<int>()).second) << panel["title"];
    EXPECT_TRUE(places.emplace(panel["gridPos"]["x"], panel["gridPos"]["y"]).second);
    EXPECT_LE(panel["gridPos"]["x"].get<int>() + panel["gridPos"]["w"].get<int>(), 24);
    EXPECT_EQ(panel["datasource"]["uid"], "${datasource}");
    ASSERT_FALSE(panel["targets"].empty()) << panel["title"];
    for (const json& target : panel["targets"]) {
      const std::string expression = target["expr"];
      EXPECT_EQ(WrongWith(expression, known), "") << expression;
      EXPECT_EQ(Foreign(FindAll(expression, R"(\$(\w+))"), variables), "") << expression;
      all += expression + "\n";
    }
  }
  // A metric that nobody looks at is one too many.
  for (const auto& [name, metric] : known) {
    EXPECT_NE(all.find(name), std::string::npos) << name << " is on no panel";
  }
}

// A check that finds nothing wrong anywhere would check nothing.
TEST(MonitoringTest, TheCheckSeesWhatIsWrong) {
  const MetricList known{{"milvus_cdc_a", {"gauge", {"task_id"}}},
                         {"milvus_cdc_h", {"histogram", {"route"}}}};
  EXPECT_EQ(WrongWith(R"(sum by (route, le) (rate(milvus_cdc_h_bucket{route="x"}[5m])))", known),
            "");
  EXPECT_EQ(WrongWith(R"(milvus_cdc_a{task="x"})", known), "label task");
  EXPECT_EQ(WrongWith("sum by (route) (milvus_cdc_a)", known), "label route");
  EXPECT_EQ(WrongWith("sum(milvus_cdc_a", known), "unbalanced ()");
  EXPECT_EQ(WrongWith("milvus_cdc_a_count", known), "metric milvus_cdc_a_count");
}

}  // namespace
}  // namespace cdc
