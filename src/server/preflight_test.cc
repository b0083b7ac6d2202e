// Every misconfiguration is found and named; a world that is right has nothing to be named.
#include "server/preflight.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cdc {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int32_t kInt64 = 5;
constexpr int32_t kFloatVector = 101;
constexpr int32_t kSparseVector = 104;

CollectionSchema Schema(int32_t vector_type = kFloatVector) {
  CollectionSchema schema;
  Field key;
  key.id = 100;
  key.name = "id";
  key.data_type = kInt64;
  key.primary_key = true;
  Field vector;
  vector.id = 101;
  vector.name = "v";
  vector.data_type = vector_type;
  schema.fields = {key, vector};
  return schema;
}

class FakeSource final : public PreflightSource {
 public:
  FakeSource() {
    catalog_.databases = {{1, "default"}};
    Add(10, "a", {"by-dev-rootcoord-dml_0", "by-dev-rootcoord-dml_1"});
    for (const char* channel : {"by-dev-rootcoord-dml_0", "by-dev-rootcoord-dml_1"}) {
      ends[channel] = {LogPosition::Kind::kAfter, {0, 5}};
    }
  }
  void Add(CollectionId id, const std::string& name, std::vector<std::string> channels) {
    SourceCollection collection;
    collection.id = id;
    collection.db_id = 1;
    collection.name = name;
    collection.schema = Schema();
    collection.create_ts = 1000;
    collection.pchannels = channels;
    for (const std::string& channel : channels) {
      collection.vchannels.push_back(channel + "_" + std::to_string(id) + "v0");
    }
    Put(collection);
  }
  void Put(const SourceCollection& collection) {
    catalog_.collections.push_back(std::make_shared<const SourceCollection>(collection));
  }
  SourceCollection Take() {
    SourceCollection collection = *catalog_.collections.back();
    catalog_.collections.pop_back();
    return collection;
  }
  void Tick() {
    for (auto& [channel, end] : ends) end.id.minor += still.contains(channel) ? 0 : 1;
  }

  Result<CatalogUpdate> Catalog() override {
    if (catalog_error) return *catalog_error;
    return catalog_;
  }
  Result<std::map<std::string, LogPosition>> Ends(const std::set<std::string>&) override {
    if (log_error) return *log_error;
    return ends;
  }
  Status ReadOldest(const std::string&) override { return oldest; }
  Status CheckHeld(const std::map<std::string, LogPosition>&) override { return held; }
  Result<std::map<std::string, Timestamp>> Oldest(const std::set<std::string>&) override {
    return std::map<std::string, Timestamp>{};
  }
  Result<LogId> DecodeId(const std::string& bytes) const override {
    return LogId{0, std::stoull(bytes)};
  }
  const std::string& operation_topic() const override { return topic; }

  std::optional<Error> catalog_error;
  std::optional<Error> log_error;
  std::map<std::string, LogPosition> ends;
  std::set<std::string> still;  // channels on which nothing is written
  Status oldest;
  Status held;
  std::string topic = "by-dev-replicate-msg";

 private:
  CatalogUpdate catalog_;
};

struct TargetWorld {
  std::optional<Error> open_error;
  std::optional<Error> mode_error;
  std::optional<Error> databases_error;
  std::optional<Error> find_error;
  ResolvedMode mode{TargetMode::kReplicate, "a standby", "2.5.4"};
  std::map<TargetName, TargetCollection> collections;
};

class FakeTarget final : public PreflightTarget {
 public:
  explicit FakeTarget(const TargetWorld* world) : world_(world) {}
  Result<ResolvedMode> Mode(TargetMode) override {
    if (world_->mode_error) return *world_->mode_error;
    return world_->mode;
  }
  Result<std::vector<std::string>> Databases() override {
    if (world_->databases_error) return *world_->databases_error;
    return std::vector<std::string>{"default"};
  }
  Result<std::map<TargetName, TargetCollection>> Find(
      const std::vector<TargetName>& names) override {
    if (world_->find_error) return *world_->find_error;
    std::map<TargetName, TargetCollection> found;
    for (const TargetName& name : names) {
      const auto at = world_->collections.find(name);
      if (at != world_->collections.end()) found.insert(*at);
    }
    return found;
  }

 private:
  const TargetWorld* const world_;
};

// A world in which everything is right, until a test breaks one thing.
struct World {
  World() {
    spec.target.host = "t";
    spec.selection.includes = {{"default", "a"}};
    progress.channels["ch"] = {"ch", {LogPosition::Kind::kAfter, {0, 1}}, 1, 1};
    ObjectRecord object;
    object.pchannels = {"ch"};
    progress.objects[7] = object;
  }
  std::vector<Finding> Run(bool with_task = true) {
    PreflightPorts ports;
    ports.source = &source;
    ports.open_target = [this](const TargetAddress&) -> Result<std::unique_ptr<PreflightTarget>> {
      if (target.open_error) return *target.open_error;
      return std::unique_ptr<PreflightTarget>(new FakeTarget(&target));
    };
    ports.admit = [this](TaskSpec*) { return admitted; };
    ports.exists = [](const std::string& id) { return id == "taken"; };
    ports.progresses = [this] { return std::map<std::string, TaskProgress>{{"old", progress}}; };
    ports.wait = [this](Duration) { source.Tick(); };
    return Preflight(std::move(ports)).Run(with_task ? &spec : nullptr);
  }
  TargetCollection& OnTarget(const CollectionSchema& schema, size_t shards) {
    TargetCollection collection;
    collection.name = {"default", "a"};
    collection.id = 99;
    collection.schema = schema;
    for (size_t i = 0; i < shards; ++i) collection.vchannels.push_back("x" + std::to_string(i));
    return target.collections[collection.name] = collection;
  }

  FakeSource source;
  TargetWorld target;
  TaskSpec spec;
  Status admitted;
  TaskProgress progress;
};

std::vector<std::string> Checks(const std::vector<Finding>& findings, Severity severity) {
  std::vector<std::string> checks;
  for (const Finding& finding : findings) {
    if (finding.severity == severity) checks.push_back(finding.check);
  }
  return checks;
}

TEST(PreflightTest, ARightWorldHasNothingToBeNamed) {
  World world;
  const auto findings = world.Run();
  EXPECT_THAT(Checks(findings, Severity::kError), IsEmpty());
  EXPECT_THAT(Checks(findings, Severity::kWarning), IsEmpty());
  EXPECT_THAT(
      Checks(findings, Severity::kOk),
      testing::ElementsAre("source.etcd", "source.metadata", "source.log", "source.channels",
                           "source.ticking", "source.format", "source.operations",
                           "source.positions", "tasks.clash", "selection.collections",
                           "target.reachable", "target.mode", "target.privileges", "target.names"));
}

TEST(PreflightTest, WithoutATaskOnlyTheSourceAndThePositionsAreLookedAt) {
  World world;
  const auto findings = world.Run(false);
  EXPECT_THAT(Checks(findings, Severity::kOk), Contains("source.positions"));
  for (const Finding& finding : findings) {
    EXPECT_THAT(finding.check, testing::StartsWith("source."));
  }
}

struct Case {
  const char* name;
  std::function<void(World*)> mislead;
  const char* check;
  Severity severity;
  const char* what;
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

class Misconfiguration : public testing::TestWithParam<Case> {};

TEST_P(Misconfiguration, IsFoundAndNamed) {
  const Case& c = GetParam();
  World world;
  c.mislead(&world);
  const auto findings = world.Run();
  bool found = false;
  for (const Finding& finding : findings) {
    EXPECT_EQ(finding.severity == Severity::kOk, finding.what_to_do.empty()) << finding.check;
    EXPECT_EQ(finding.what.find('\n'), std::string::npos);
    if (finding.severity == Severity::kOk || finding.check != c.check) continue;
    found = true;
    EXPECT_EQ(finding.severity, c.severity);
    EXPECT_THAT(finding.what, HasSubstr(c.what));
  }
  EXPECT_TRUE(found) << testing::PrintToString(Checks(findings, Severity::kError));
  // Nothing else is blamed.
  for (const Severity severity : {Severity::kError, Severity::kWarning}) {
    for (const std::string& check : Checks(findings, severity)) EXPECT_EQ(check, c.check);
  }
}

constexpr Severity kError = Severity::kError;
constexpr Severity kWarning = Severity::kWarning;

const Case kCases[] = {
    {"EtcdAway",
     [](World* w) {
       w->source.catalog_error =
           RetryError("etcd e:2379 is not reachable", ErrorKind::kUnavailable);
     },
     "source.etcd", kError, "etcd e:2379 is not reachable"},
    {"EtcdPassword",
     [](World* w) { w->source.catalog_error = InvalidError("etcd e:2379 refuses us"); },
     "source.etcd", kError, "refuses us"},
    {"RootPath",
     [](World* w) {
       w->source.catalog_error = FatalError(
           "no Milvus metadata under 'x/meta' in etcd; there is some under by-dev (with meta sub "
           "path meta)",
           ErrorKind::kNotFound);
     },
     "source.metadata", kError, "there is some under by-dev"},
    {"LogAway",
     [](World* w) { w->source.log_error = RetryError("Kafka at k:9092 does not answer"); },
     "source.log", kError, "Kafka at k:9092 does not answer"},
    {"LogOfAnother", [](World* w) { w->source.ends.clear(); }, "source.channels", kError,
     "by-dev-rootcoord-dml_0, by-dev-rootcoord-dml_1"},
    {"LogOfAnotherInPart",
     [](World* w) { w->source.ends["by-dev-rootcoord-dml_1"] = LogPosition{}; }, "source.channels",
     kWarning, "nothing of by-dev-rootcoord-dml_1"},
    {"SourceStopped",
     [](World* w) {
       w->source.still = {"by-dev-rootcoord-dml_0", "by-dev-rootcoord-dml_1"};
     },
     "source.ticking", kError, "not even a time tick"},
    {"ChannelSilent", [](World* w) { w->source.still = {"by-dev-rootcoord-dml_1"}; },
     "source.ticking", kWarning, "nothing was written to by-dev-rootcoord-dml_1"},
    {"StreamingFormat",
     [](World* w) { w->source.oldest = CorruptError("message 5 is in the format of Milvus 2.6"); },
     "source.format", kError, "2.6"},
    {"ReplicateChannel", [](World* w) { w->source.topic = "other-replicate-msg"; },
     "source.operations", kWarning, "the source writes them to by-dev-replicate-msg"},
    {"PositionGone",
     [](World* w) {
       w->source.held = FatalError("channel ch: cannot read after 1", ErrorKind::kPositionGone);
     },
     "source.positions", kError, "task old: channel ch: cannot read after 1"},
    {"TaskThere", [](World* w) { w->spec.id = "taken"; }, "tasks.exists", kWarning,
     "there is a task taken already"},
    {"Clash",
     [](World* w) {
       w->admitted = FatalError("the collection name is duplicate with existing task, [default.a]",
                                ErrorKind::kConflict);
     },
     "tasks.clash", kError, "duplicate with existing task"},
    {"TooManyTasks",
     [](World* w) {
       w->admitted = FatalError("the task num has reach the limit, 1", ErrorKind::kLimit);
     },
     "tasks.limit", kError, "limit, 1"},
    {"CollectionMissing",
     [](World* w) {
       w->spec.selection.includes = {{"default", "b"}};
     },
     "selection.collections", kWarning, "the source has no default.b; it has default.a"},
    {"NothingSelected",
     [](World* w) {
       w->spec.selection.includes = {{"shop", "*"}};
     },
     "selection.collections", kWarning, "none of the source's collections is selected"},
    {"TwoOnOneName",
     [](World* w) {
       w->source.Add(11, "b", {"by-dev-rootcoord-dml_0"});
       w->spec.selection.includes = {{"default", "*"}};
       w->spec.selection.mappings = {{"default", "default", {{"b", "a"}}}};
     },
     "selection.collections", kError, "would both be written to default.a"},
    {"APositionOfAnotherCollection",
     [](World* w) {
       w->spec.start_request.positions = {{{"default", "a"}, "by-dev-rootcoord-dml_9", "3", 0}};
     },
     "selection.start", kError, "nothing that the task replicates of default.a is written to it"},
    {"APositionBehindTheEnd", [](World* w) { w->spec.start_request.operations = "9"; },
     "selection.start", kError, "and the log holds none"},
    {"Certificate",
     [](World* w) { w->target.open_error = InvalidError("cannot read /nowhere.pem"); },
     "target.credentials", kError, "/nowhere.pem"},
    {"TargetAway",
     [](World* w) {
       w->target.mode_error =
           RetryError("cannot reach Milvus at http://t:19530", ErrorKind::kUnavailable);
     },
     "target.reachable", kError, "cannot reach Milvus"},
    {"Token", [](World* w) { w->target.mode_error = InvalidError("auth check failure"); },
     "target.credentials", kError, "auth check failure"},
    {"NoStandby",
     [](World* w) {
       w->target.mode_error = FatalError("t is not a standby", ErrorKind::kNotStandby);
     },
     "target.mode", kError, "is not a standby"},
    {"Standby",
     [](World* w) { w->target.mode_error = FatalError("t is a standby", ErrorKind::kStandby); },
     "target.mode", kError, "t is a standby"},
    {"PrivilegeToList",
     [](World* w) { w->target.databases_error = InvalidError("permission deny to u"); },
     "target.privileges", kError, "permission deny"},
    {"PrivilegeToDescribe",
     [](World* w) { w->target.find_error = InvalidError("permission deny to u"); },
     "target.privileges", kError, "permission deny"},
    {"NoDatabases",
     [](World* w) {
       w->target.databases_error =
           FatalError("ListDatabases: no such call", ErrorKind::kUnsupported);
       w->spec.selection.mappings = {{"default", "copy", {}}};
     },
     "target.databases", kError, "no such call"},
    {"TargetIsSource",
     [](World* w) {
       TargetCollection& same = w->OnTarget(Schema(), 0);
       same.id = 10;
       same.vchannels = {"by-dev-rootcoord-dml_0_10v0", "by-dev-rootcoord-dml_1_10v0"};
     },
     "target.is_source", kError, "the target is the source itself"},
    {"Stranger", [](World* w) { w->OnTarget(Schema(), 2); }, "target.names", kError,
     "collection default.a is on the target already"},
    {"StrangerThatDoesNotFit",
     [](World* w) {
       w->OnTarget(Schema(kSparseVector), 2);
       w->spec.adopt = true;
     },
     "target.names", kError, "does not fit: "},
    {"Shards",
     [](World* w) {
       w->OnTarget(Schema(), 1);
       w->spec.adopt = true;
     },
     "target.shards", kError, "has 2 shards at the source and 1 on the target"},
    {"Types",
     [](World* w) {
       SourceCollection collection = w->source.Take();
       collection.schema = Schema(kSparseVector);
       w->source.Put(collection);
       w->target.mode.version = "2.3.5";
     },
     "target.types", kError, "which needs Milvus 2.4"},
    {"AutoId",
     [](World* w) {
       SourceCollection collection = w->source.Take();
       collection.schema.fields[0].auto_id = true;
       w->source.Put(collection);
       w->target.mode = {TargetMode::kApi, "plain writes", "2.5.4"};
     },
     "target.auto_id", kWarning, "the keys of default.a are made by the source"},
};

INSTANTIATE_TEST_SUITE_P(Preflight, Misconfiguration, testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(PreflightTest, AnAdoptedCollectionThatFitsIsRight) {
  World world;
  world.OnTarget(Schema(), 2);
  world.spec.adopt = true;
  EXPECT_THAT(Checks(world.Run(), Severity::kError), IsEmpty());
}

TEST(PreflightTest, WhatAnEarlierTaskMadeOnAStandbyIsRight) {
  World world;
  world.OnTarget(Schema(), 2).created_ts = 1000;  // born when the source's was
  EXPECT_THAT(Checks(world.Run(), Severity::kError), IsEmpty());
}

// Who gives a position says that its rows may be on the target.
TEST(PreflightTest, ACollectionWithPositionsMayBeOnTheTarget) {
  World world;
  world.OnTarget(Schema(), 2);
  for (const char* channel : {"by-dev-rootcoord-dml_0", "by-dev-rootcoord-dml_1"}) {
    world.spec.start_request.positions.push_back({{"default", "a"}, channel, "3", 0});
  }
  const auto findings = world.Run();
  EXPECT_THAT(Checks(findings, Severity::kError), IsEmpty());
  EXPECT_THAT(Checks(findings, Severity::kOk), testing::Contains("selection.start"));
}

TEST(PreflightTest, ABlackholeHasNoTarget) {
  World world;
  world.spec.mode = TargetMode::kBlackhole;
  world.target.open_error = FatalError("nobody asked");
  EXPECT_THAT(Checks(world.Run(), Severity::kError), IsEmpty());
}

TEST(PreflightTest, ManyComplaintsAreCut) {
  World world;
  world.spec.selection.includes = {{"default", "*"}};
  for (int i = 0; i < 50; ++i) {
    const std::string name = "many" + std::to_string(i);
    world.source.Add(100 + i, name, {"by-dev-rootcoord-dml_0"});
    TargetCollection& there = world.OnTarget(Schema(), 1);
    world.target.collections[{"default", name}] = there;
  }
  world.target.collections.erase({"default", "a"});
  const auto findings = world.Run();
  EXPECT_EQ(Checks(findings, Severity::kError).size(), 10u);
  EXPECT_THAT(findings.back().what, HasSubstr("(and 40 collections more)"));
}

}  // namespace
}  // namespace cdc
