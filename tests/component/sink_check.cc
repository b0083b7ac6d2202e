// Drives the target side against a real server: `sink_check auto|replicate|api HOST PORT [TOKEN]`.
//
// Creates database sink_check with collection rows (2 shards, partition p1, index, loaded), writes
// hand-made rows through the sink of the resolved mode, replays some, describes the collection, and
// prints what a reader must find. `sink_check drop ...` removes it all; `sink_check steps ...`
// tries every step twice. Exit code 0: every call answered as it should.
#include <cstdio>
#include <cstdlib>
#include <future>

#include "base/format.h"
#include "base/thread_executor.h"
#include "sink/milvus/milvus_admin.h"
#include "sink/milvus/milvus_sink.h"
#include "sink/milvus/rows_for_tests.h"
#include "sink/milvus/target_mode.h"

namespace cdc {
namespace {

using rows_for_tests::Delete;
using rows_for_tests::Insert;
using Kind = DdlStep::Kind;

constexpr PartitionId kSourceDefault = 70;
constexpr PartitionId kSourceP1 = 71;

int failures = 0;

void Say(const std::string& text) {
  std::printf("%s\n", text.c_str());
}

void Expect(bool good, const std::string& what) {
  if (!good) ++failures;
  Say((good ? "  ok    " : "  WRONG ") + what);
}

Timestamp Now() {
  return ComposeTimestamp(SystemClock().WallMillis());
}

class Check {
 public:
  Check(TargetAddress address, TargetMode mode)
      : address_(std::move(address)),
        mode_(mode),
        client_(*MilvusClient::Open(address_)),
        executor_("check"),
        admin_(client_, mode, &executor_) {
    sink_ = std::make_unique<MilvusSink>(address_, mode, &executor_);
  }

  Status Apply(DdlStep step) {
    return Wait<Status>([&](auto done) { admin_.Apply(std::move(step), done); });
  }
  void Step(DdlStep step) {
    const TimePoint begin = executor_.clock().Now();
    const Status status = Apply(step);
    const double ms =
        std::chrono::duration<double, std::milli>(executor_.clock().Now() - begin).count();
    Expect(status.ok(), Format("{} ({} ms){}", ToString(step), static_cast<int>(ms),
                               status ? "" : ": " + status.error().message));
  }
  std::optional<TargetCollection> Describe() {
    auto found = Wait<Result<std::optional<TargetCollection>>>(
        [&](auto done) { admin_.Describe(name_, done); });
    if (!found) Expect(false, "describe: " + found.error().message);
    return found ? *found : std::nullopt;
  }

  DdlStep Make(Kind kind) const {
    DdlStep step;
    step.kind = kind;
    step.name = name_;
    step.ts = Now();
    return step;
  }

  void Create() {
    Step(Make(Kind::kCreateDatabase));
    Step(Make(Kind::kCreateDatabase));
    DdlStep create = Make(Kind::kCreateCollection);
    create.source = Source();
    Step(create);
    Step(create);
    DdlStep partition = Make(Kind::kCreatePartition);
    partition.partition = "p1";
    Step(partition);
    Step(partition);
    DdlStep index = Make(Kind::kCreateIndex);
    index.field = "v";
    index.index = "iv";
    index.properties = {{"index_type", "FLAT"}, {"metric_type", "L2"}, {"params", "{}"}};
    Step(index);
    Step(index);
    Step(Make(Kind::kLoadCollection));
    described_ = *Describe();
    AwaitLoaded();
  }

  void AwaitLoaded() {
    const TimePoint begin = executor_.clock().Now();
    while (executor_.clock().Now() - begin < std::chrono::seconds(20)) {
      if (mode_ == TargetMode::kReplicate) TickAll();
      const auto now = Describe();
      if (now && now->load == LoadState::Kind::kCollection && !now->loading) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    const auto now = Describe();
    Expect(now && now->load == LoadState::Kind::kCollection && !now->loading, "loaded");
  }

  void Send(std::vector<LaneItem> items) {
    auto batch = std::make_shared<LaneBatch>();
    batch->lane = items.empty() ? Lane(0) : items.front().to->pchannel;
    if (mode_ == TargetMode::kReplicate) {
      for (LaneItem& item : items) item.stamp = NextStamp(item.replay);
      batch->tick_before = last_stamp_;
      batch->tick = NextStamp(false);
    }
    batch->items = std::move(items);
    const SendOutcome outcome = Wait<SendOutcome>([&](auto done) {
      sink_->Send(
          batch, [](size_t) {}, done);
    });
    Expect(outcome.status.ok() && outcome.applied == batch->items.size(),
           Format("sent {} items on {}{}", batch->items.size(), batch->lane,
                  outcome.status ? "" : ": " + outcome.status.error().message));
  }

  void Rows() {
    std::vector<int64_t> keys;
    for (int64_t key = 1; key <= 100; ++key) keys.push_back(key);
    Send({Row(Insert(keys, Now(), kSourceDefault), 0, "_default"),
          Row(Insert({201, 202, 203}, Now(), kSourceP1), 0, "p1"),
          Row(Insert({1}, Now(), kSourceP1), 0, "p1")});  // one key in two partitions
    Send({Row(Insert({301, 302}, Now(), kSourceDefault), 1, "_default"),
          Row(Insert({303}, Now(), kSourceDefault), 1, "_default")});
    Send({Row(Delete({5, 6}, Now(), kAllPartitions), 0, "")});
    const Timestamp upsert = Now();
    Send({Row(Delete({7, 8}, upsert, kSourceDefault), 0, "_default"),
          Row(Insert({7, 8}, upsert, kSourceDefault, "new"), 0, "_default")});
    // The same rows again, as after a crash: nothing may be doubled, the copy of 1 stays.
    Send({Row(Insert(keys, Now(), kSourceDefault), 0, "_default", true),
          Row(Insert({201, 202, 203}, Now(), kSourceP1), 0, "p1", true),
          Row(Delete({5, 6}, Now(), kAllPartitions), 0, "", true),
          Row(Delete({7, 8}, upsert, kSourceDefault), 0, "_default", true),
          Row(Insert({7, 8}, upsert, kSourceDefault, "new"), 0, "_default", true)});
    const Status drained = Wait<Status>([&](auto done) { sink_->Drain(Lane(0), done); });
    Expect(drained.ok(), "drained");
    Send({Row(Insert({401, 401}, Now(), kSourceP1), 0, "p1", true)});  // a key twice: two rows
    if (mode_ == TargetMode::kReplicate) TickAll();
    Say("expect: _default 98+3 rows (5 and 6 gone; 7, 8 with t = new7, new8), p1 4+2 rows");
  }

  void Aliases() {
    DdlStep alias = Make(Kind::kCreateAlias);
    alias.alias = "sink_alias";
    Step(alias);
    Step(alias);
    alias.kind = Kind::kAlterAlias;
    Step(alias);
    auto described = Describe();
    Expect(described && described->aliases.contains("sink_alias"), "describe lists the alias");
    const auto through = Wait<Result<std::optional<TargetCollection>>>([&](auto done) {
      admin_.Describe({name_.database, "sink_alias"}, done);
    });
    Expect(through && !through->has_value(), "an alias is not a collection");
    alias.kind = Kind::kDropAlias;
    Step(alias);
    Step(alias);
  }

  void MoreSteps() {
    Aliases();
    DdlStep alter = Make(Kind::kAlterProperties);
    alter.properties = {{"collection.ttl.seconds", "86400"}};
    Step(alter);
    DdlStep rename = Make(Kind::kRenameCollection);
    rename.new_name = {name_.database, "renamed"};
    Step(rename);
    std::swap(rename.name, rename.new_name);
    Step(rename);
    Step(Make(Kind::kFlush));
    Step(Make(Kind::kReleaseCollection));
    DdlStep load = Make(Kind::kLoadPartitions);
    load.partition_names = {"p1"};
    load.replica_number = 2;
    Step(load);
    auto described = Describe();
    const bool partial = described && described->loaded_partitions == std::set<std::string>{"p1"};
    Expect(partial || described->vchannels.empty(), "describe shows the loaded partition");
    load.kind = Kind::kReleasePartitions;
    Step(load);
    Step(Make(Kind::kReleaseCollection));
    DdlStep partition = Make(Kind::kDropPartition);
    partition.partition = "p1";
    Step(partition);
    Step(partition);
    DdlStep index = Make(Kind::kDropIndex);
    index.field = "v";
    index.index = "iv";
    Step(index);
    Step(index);
  }

  void Drop() {
    described_ = Describe().value_or(TargetCollection{});
    DdlStep drop = Make(Kind::kDropCollection);
    Step(drop);
    if (mode_ == TargetMode::kReplicate) {
      for (size_t shard = 0; shard < described_.pchannels.size(); ++shard) {
        Change change;
        change.kind = ChangeKind::kDropCollection;
        Send({Row(change, shard, "")});
      }
    }
    Step(drop);
    Step(Make(Kind::kDropDatabase));
    Step(Make(Kind::kDropDatabase));
  }

 private:
  template <typename T, typename Start>
  T Wait(Start start) {
    return Await<T>([&](MilvusDone<T> done) {
      executor_.Post([&start, done] { start(done); });
      // Await keeps `start` alive until `done` was called.
    });
  }

  static SourceCollectionPtr Source() {
    auto source = std::make_shared<SourceCollection>();
    source->id = 7;
    source->name = "source";
    source->create_ts = Now();
    source->vchannels = {"src-dml_0_7v0", "src-dml_1_7v1"};
    Field id{.id = 100, .name = "id", .data_type = 5, .primary_key = true, .auto_id = false};
    Field v{.id = 101, .name = "v", .data_type = 101, .type_params = {{"dim", "4"}}};
    Field t{.id = 102, .name = "t", .data_type = 21, .type_params = {{"max_length", "64"}}};
    source->schema.fields = {id, v, t};
    return source;
  }

  std::string Lane(size_t shard) const {
    return described_.pchannels.empty() ? Format("lane{}", shard) : described_.pchannels[shard];
  }

  LaneItem Row(Change change, size_t shard, const std::string& partition, bool replay = false) {
    auto to = std::make_shared<TargetAddressOfRows>();
    to->name = name_;
    to->collection_id = described_.id;
    to->pchannel = Lane(shard);
    to->vchannel = described_.vchannels.empty() ? "" : described_.vchannels[shard];
    to->partition = partition;
    if (!partition.empty()) to->partition_id = described_.partitions[partition];
    to->primary_key = rows_for_tests::kKeyField;
    to->primary_key_name = "id";
    return {std::move(change), to, 0, replay};
  }

  Timestamp NextStamp(bool replay) {
    last_stamp_ = std::max(Now(), last_stamp_ + (replay ? 2 : 1));
    return last_stamp_;
  }

  void TickAll() {
    for (const std::string& pchannel : described_.pchannels) {
      auto batch = std::make_shared<LaneBatch>();
      batch->lane = pchannel;
      batch->tick_before = last_stamp_;
      batch->tick = NextStamp(false);
      const SendOutcome outcome = Wait<SendOutcome>([&](auto done) {
        sink_->Send(
            batch, [](size_t) {}, done);
      });
      if (!outcome.status) Expect(false, "tick: " + outcome.status.error().message);
    }
  }

  TargetAddress address_;
  TargetMode mode_;
  TargetName name_{"sink_check", "rows"};
  TargetCollection described_;
  Timestamp last_stamp_ = 0;
  std::shared_ptr<MilvusClient> client_;
  ThreadExecutor executor_;
  MilvusAdmin admin_;
  std::unique_ptr<DataSink> sink_;
};

int Main(int argc, char** argv) {
  if (argc < 4) {
    Say("usage: sink_check auto|replicate|api|steps|drop HOST PORT [TOKEN]");
    return 2;
  }
  const std::string what = argv[1];
  TargetAddress address;
  address.host = argv[2];
  address.port = static_cast<uint16_t>(std::atoi(argv[3]));
  if (argc > 4) address.token = argv[4];
  const auto requested = ParseTargetMode(what);
  const auto mode = ResolveMode(requested ? *requested : TargetMode::kAuto, address);
  if (!mode) {
    Say("refused: " + mode.error().message);
    return 1;
  }
  Say(Format("mode {}: {}", ToString(mode->mode), mode->reason));
  Check check(address, mode->mode);
  if (what == "drop") {
    check.Drop();
  } else {
    check.Create();
    check.Rows();
    if (what == "steps") {
      check.MoreSteps();
      check.Drop();
    }
  }
  Say(failures == 0 ? "all as expected" : Format("{} unexpected", failures));
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace cdc

int main(int argc, char** argv) {
  return cdc::Main(argc, argv);
}
