#include "server/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <set>

namespace cdc {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Labels = std::map<std::string, std::string>;

class FamilyBuilder {
 public:
  FamilyBuilder(const char* name, const char* help, MetricType type) {
    family_.name = name;
    family_.help = help;
    family_.type = type;
  }
  void Add(const Labels& labels, double value) {
    ClientMetric metric;
    for (const auto& [name, text] : labels) metric.label.push_back({name, text});
    if (family_.type == MetricType::Counter) {
      metric.counter.value = value;
    } else {
      metric.gauge.value = value;
    }
    family_.metric.push_back(std::move(metric));
  }
  void MoveTo(std::vector<MetricFamily>* families) {
    if (!family_.metric.empty()) families->push_back(std::move(family_));
  }

 private:
  MetricFamily family_;
};

void AddTaskNumbers(const std::vector<TaskStatus>& tasks, std::vector<MetricFamily>* families) {
  FamilyBuilder num("milvus_cdc_task_num", "Number of tasks by state", MetricType::Gauge);
  for (const TaskState state : {TaskState::kInitial, TaskState::kRunning, TaskState::kPaused}) {
    double count = 0;
    for (const TaskStatus& task : tasks) count += task.state == state ? 1 : 0;
    num.Add({{"task_state", ToString(state)}}, count);
  }
  num.MoveTo(families);
}

double Seconds(int64_t ms) {
  return static_cast<double>(ms) / 1000;
}

double Count(uint64_t number) {
  return static_cast<double>(number);
}

constexpr MetricType kGauge = MetricType::Gauge;
constexpr MetricType kCounter = MetricType::Counter;

// The series of tasks.
struct TaskFamilies {
  FamilyBuilder state{"milvus_cdc_task_state", "0 Initial, 1 Running, 2 Paused", kGauge};
  FamilyBuilder health{"milvus_cdc_task_health", "0 ok, 1 warning, 2 failed", kGauge};
  FamilyBuilder since{"milvus_cdc_task_trouble_since_seconds",
                      "Unix time when the task's trouble began; only while there is one", kGauge};
  FamilyBuilder lag{"milvus_cdc_task_lag_seconds",
                    "Age of the oldest change not yet acknowledged by the target; 0 when idle",
                    kGauge};
  FamilyBuilder safe{"milvus_cdc_task_safe_time_seconds",
                     "Unix time up to which the target has every change of the source", kGauge};
  FamilyBuilder tt{"milvus_cdc_replicate_tt",
                   "Source time in milliseconds up to which a channel was read and written",
                   kGauge};
  FamilyBuilder collections{"milvus_cdc_task_collections", "Collections that the task replicates",
                            kGauge};
  FamilyBuilder rows{"milvus_cdc_replicate_data_cnt", "Rows acknowledged by the target", kCounter};
  FamilyBuilder bytes{"milvus_cdc_replicate_data_size", "Bytes of rows acknowledged by the target",
                      kCounter};
  FamilyBuilder calls{"milvus_cdc_api_execute_total", "Calls acknowledged by the target", kCounter};
  FamilyBuilder replayed{"milvus_cdc_replayed_rows_total",
                         "Inserts sent again after a crash, in the form that doubles nothing",
                         kCounter};
  FamilyBuilder duplicates{"milvus_cdc_duplicate_keys_total",
                           "Rows on the task's target that lost their place to a replayed row of "
                           "equal key and partition: the source holds both",
                           kCounter};
  FamilyBuilder retries{"milvus_cdc_task_retries_total", "Calls that failed and were made again",
                        kCounter};
  FamilyBuilder passed_over{"milvus_cdc_log_messages_passed_over_total",
                            "Messages of the source's log that bring the target nothing", kCounter};
  FamilyBuilder unknown{"milvus_cdc_operations_unknown_total",
                        "Messages of the operation topic that are unreadable or of an unknown kind",
                        kCounter};
  FamilyBuilder headroom{"milvus_cdc_log_headroom_seconds",
                         "Time from the oldest message that the source's log holds to the task's "
                         "checkpoint: at 0 retention takes what is not replicated yet",
                         kGauge};
  FamilyBuilder headroom_bytes{"milvus_cdc_log_headroom_bytes",
                               "The same in bytes of the log, estimated", kGauge};

  void AddState(const TaskStatus& task);
  void AddCounters(const TaskStatus& task);
  void MoveTo(std::vector<MetricFamily>* families);
};

void TaskFamilies::AddState(const TaskStatus& task) {
  const Labels id{{"task_id", task.id}};
  state.Add(id, static_cast<double>(task.state));
  health.Add(id, static_cast<double>(task.health));
  if (task.health_since_ms != 0) since.Add(id, Seconds(task.health_since_ms));
  lag.Add(id, Seconds(task.lag_ms));
  safe.Add(id, Seconds(PhysicalMillis(task.safe_ts)));
  for (const ChannelStatus& channel : task.channels) {
    const auto add = [&](const char* type, Timestamp ts) {
      tt.Add({{"task_id", task.id}, {"vchannel_name", channel.name}, {"op_type", type}},
             static_cast<double>(PhysicalMillis(ts)));
    };
    add("read", channel.read_ts);
    add("write", channel.acked_ts);
  }
  collections.Add(id, Count(task.collection_count));
  if (task.log_headroom_seconds) {
    headroom.Add(id, static_cast<double>(*task.log_headroom_seconds));
    headroom_bytes.Add(id, Count(task.log_headroom_bytes));
  }
}

void TaskFamilies::AddCounters(const TaskStatus& task) {
  const TaskCounters& c = task.counters;
  const Labels id{{"task_id", task.id}};
  const auto with = [&](Labels more) {
    more.insert(id.begin(), id.end());
    return more;
  };
  rows.Add(with({{"op_type", "write"}, {"api_type", "insert"}}), Count(c.rows_inserted));
  rows.Add(with({{"op_type", "write"}, {"api_type", "delete"}}), Count(c.rows_deleted));
  bytes.Add(with({{"op_type", "write"}}), Count(c.bytes));
  for (const auto& [kind, count] : c.calls) calls.Add(with({{"api_type", kind}}), Count(count));
  replayed.Add(id, Count(c.rows_replayed));
  duplicates.Add(id, Count(c.duplicate_keys));
  retries.Add(id, Count(c.retries));
  passed_over.Add(with({{"why", "not_selected"}}), Count(c.messages_skipped));
  passed_over.Add(with({{"why", "no_rows"}}), Count(c.messages_other));
  unknown.Add(id, Count(c.operations_unknown));
}

void TaskFamilies::MoveTo(std::vector<MetricFamily>* families) {
  for (FamilyBuilder* family :
       {&state, &health, &since, &lag, &safe, &tt, &collections, &rows, &bytes, &calls, &replayed,
        &duplicates, &retries, &passed_over, &unknown, &headroom, &headroom_bytes}) {
    family->MoveTo(families);
  }
}

}  // namespace

struct Metrics::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests = prometheus::BuildCounter()
                                                          .Name("milvus_cdc_request_total")
                                                          .Help("Requests to POST /cdc")
                                                          .Register(registry);
  prometheus::Family<prometheus::Histogram>& latency =
      prometheus::BuildHistogram()
          .Name("milvus_cdc_request_latency")
          .Help("Time of successful requests in milliseconds")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& http = prometheus::BuildCounter()
                                                      .Name("milvus_cdc_http_requests_total")
                                                      .Help("Answers of /cdc and /api/v1")
                                                      .Register(registry);
  prometheus::Family<prometheus::Histogram>& http_seconds =
      prometheus::BuildHistogram()
          .Name("milvus_cdc_http_request_seconds")
          .Help("Time of the answers of /cdc and /api/v1")
          .Register(registry);
};

Metrics::Metrics(const std::string& version) : impl_(std::make_unique<Impl>()) {
  prometheus::BuildGauge()
      .Name("milvus_cdc_build_info")
      .Help("1; the label tells the version")
      .Register(impl_->registry)
      .Add({{"version", version}})
      .Set(1);
}
Metrics::~Metrics() = default;

void Metrics::CountRequest(const std::string& type, const std::string& status) {
  impl_->requests.Add({{"request_type", type}, {"request_status", status}}).Increment();
}

void Metrics::ObserveLatency(const std::string& type, double milliseconds) {
  // 1 to 128 as it always was; create may take seconds.
  static const prometheus::Histogram::BucketBoundaries kBounds{1,  2,   4,   8,    16,  32,
                                                               64, 128, 512, 2048, 8192};
  impl_->latency.Add({{"request_type", type}}, kBounds).Observe(milliseconds);
}

void Metrics::CountHttp(const std::string& route, const std::string& method, int status,
                        double seconds) {
  static const prometheus::Histogram::BucketBoundaries kBounds{0.001, 0.005, 0.01, 0.05, 0.1,
                                                               0.5,   1,     5,    10};
  static const std::set<std::string> kMethods{"GET", "HEAD", "POST", "PUT", "DELETE"};
  const std::string path = route.empty() ? "other" : route;
  const std::string verb = kMethods.contains(method) ? method : "other";
  impl_->http.Add({{"route", path}, {"method", verb}, {"status", std::to_string(status)}})
      .Increment();
  impl_->http_seconds.Add({{"route", path}, {"method", verb}}, kBounds).Observe(seconds);
}

std::string Metrics::Render(const std::vector<TaskStatus>& tasks) {
  std::vector<MetricFamily> families = impl_->registry.Collect();
  AddTaskNumbers(tasks, &families);
  TaskFamilies of_tasks;
  for (const TaskStatus& task : tasks) {
    of_tasks.AddState(task);
    of_tasks.AddCounters(task);
  }
  of_tasks.MoveTo(&families);
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace cdc
