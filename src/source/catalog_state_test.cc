#include "source/catalog_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kTombstone[] = "\xE2\x9B\xBC";

// Writes the few protobuf fields that the tests need.
class Message {
 public:
  Message& Number(int field, uint64_t value) {
    Varint(static_cast<uint64_t>(field) << 3);
    Varint(value);
    return *this;
  }
  Message& Bytes(int field, const std::string& value) {
    Varint(static_cast<uint64_t>(field) << 3 | 2);
    Varint(value.size());
    text_ += value;
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  void Varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) text_.push_back(static_cast<char>(value | 0x80));
    text_.push_back(static_cast<char>(value));
  }
  std::string text_;
};

constexpr int kCreated = 0, kCreating = 1, kDropping = 2, kDropped = 3;

std::string Collection(const std::string& name, int state) {
  return Message().Bytes(2, Message().Bytes(1, name).text()).Number(13, state).text();
}
std::string PrimaryKey() {
  return Message().Number(1, 100).Bytes(2, "id").Number(3, 1).Number(5, 5).text();
}
std::string Partition(const std::string& name, int state) {
  return Message().Bytes(2, name).Number(5, state).text();
}
std::string Alias(CollectionId id) {
  return Message().Number(2, id).text();
}
std::string Load(int status, int type) {
  return Message().Number(4, status).Number(6, type).text();
}

class CatalogStateTest : public testing::Test {
 protected:
  static CatalogKeys Keys() { return CatalogKeys("/by-dev/", "meta"); }

  void Put(const std::string& key, const std::string& value) {
    state_.Put("by-dev/meta/" + key, value, ++revision_);
  }
  void Delete(const std::string& key) { state_.Delete("by-dev/meta/" + key, ++revision_); }
  CatalogUpdate Take() { return state_.TakeChanges(revision_); }
  void CreateBooks() {
    Put("root-coord/database/collection-info/1/7", Collection("books", kCreating));
    Put("root-coord/fields/7/100", PrimaryKey());
    Put("root-coord/partitions/7/70", Partition("_default", kCreated));
    Put("root-coord/database/collection-info/1/7", Collection("books", kCreated));
    (void)Take();
  }

  CatalogState state_{Keys()};
  int64_t revision_ = 0;
};

TEST_F(CatalogStateTest, PublishesACollectionOnceItIsCreatedAndHasItsFields) {
  Put("root-coord/database/collection-info/1/7", Collection("books", kCreating));
  EXPECT_THAT(Take().collections, IsEmpty());
  Put("root-coord/database/collection-info/1/7", Collection("books", kCreated));
  EXPECT_THAT(Take().collections, IsEmpty());
  Put("root-coord/fields/7/100", PrimaryKey());
  const CatalogUpdate update = Take();
  ASSERT_THAT(update.collections, SizeIs(1));
  EXPECT_EQ(update.collections[0]->id, 7);
  EXPECT_EQ(update.collections[0]->db_id, 1);
  EXPECT_EQ(update.collections[0]->name, "books");
  EXPECT_EQ(update.collections[0]->schema.PrimaryKey()->name, "id");
  EXPECT_FALSE(update.full);
  EXPECT_THAT(Take().collections, IsEmpty());
}

TEST_F(CatalogStateTest, AWriteThatChangesNothingIsNotPublished) {
  CreateBooks();
  Put("root-coord/partitions/7/70", Partition("_default", kCreated));
  EXPECT_THAT(Take().collections, IsEmpty());
}

TEST_F(CatalogStateTest, ADropKeepsThePiecesAndIsReportedOnce) {
  CreateBooks();
  Put("root-coord/database/collection-info/1/7", Collection("books", kDropping));
  CatalogUpdate update = Take();
  ASSERT_THAT(update.collections, SizeIs(1));
  EXPECT_EQ(update.collections[0]->state, ObjectState::kDropping);

  Put("root-coord/fields/7/100", kTombstone);
  Put("root-coord/partitions/7/70", kTombstone);
  EXPECT_THAT(Take().collections, IsEmpty());  // still as published, with field and partition

  Put("root-coord/database/collection-info/1/7", kTombstone);
  EXPECT_THAT(Take().gone_collections, ElementsAre(Gone<CollectionId>{7, true}));
  Delete("root-coord/database/collection-info/1/7");
  update = Take();
  EXPECT_THAT(update.gone_collections, IsEmpty());
  EXPECT_THAT(update.collections, IsEmpty());
}

TEST_F(CatalogStateTest, StateDroppedIsAMarkToo) {
  CreateBooks();
  Put("root-coord/database/collection-info/1/7", Collection("books", kDropped));
  EXPECT_THAT(Take().gone_collections, ElementsAre(Gone<CollectionId>{7, true}));
}

TEST_F(CatalogStateTest, ADeletedKeyIsGoneWithoutAMark) {
  CreateBooks();
  Delete("root-coord/database/collection-info/1/7");
  EXPECT_THAT(Take().gone_collections, ElementsAre(Gone<CollectionId>{7, false}));
}

TEST_F(CatalogStateTest, ACollectionThatWasNeverCreatedVanishesSilentlyWithoutAMark) {
  Put("root-coord/database/collection-info/1/7", Collection("books", kCreating));
  (void)Take();
  Delete("root-coord/database/collection-info/1/7");
  EXPECT_THAT(Take().gone_collections, IsEmpty());
}

TEST_F(CatalogStateTest, AMoveToAnotherDatabaseIsNoDrop) {
  CreateBooks();
  Put("root-coord/database/collection-info/1/7", kTombstone);
  Put("root-coord/database/collection-info/2/7", Collection("moved", kCreated));
  CatalogUpdate update = Take();
  EXPECT_THAT(update.gone_collections, IsEmpty());
  ASSERT_THAT(update.collections, SizeIs(1));
  EXPECT_EQ(update.collections[0]->db_id, 2);
  EXPECT_EQ(update.collections[0]->name, "moved");

  // The tombstone left behind is no mark for what happens to the new key.
  Delete("root-coord/database/collection-info/2/7");
  EXPECT_THAT(Take().gone_collections, ElementsAre(Gone<CollectionId>{7, false}));
}

TEST_F(CatalogStateTest, OlderVersionsOfAKeyAreIgnored) {
  CreateBooks();
  const std::string key = "by-dev/meta/root-coord/database/collection-info/1/7";
  state_.Put(key, Collection("renamed", kCreated), revision_ + 10);
  EXPECT_EQ(Take().collections.at(0)->name, "renamed");
  state_.Put(key, Collection("between", kCreated), revision_ + 5);
  state_.Delete(key, revision_ + 6);
  const CatalogUpdate update = Take();
  EXPECT_THAT(update.collections, IsEmpty());
  EXPECT_THAT(update.gone_collections, IsEmpty());
}

TEST_F(CatalogStateTest, ARefreshThatSawADeleteIsNotUndoneByTheLateWatch) {
  CreateBooks();
  const EtcdInterval key = EtcdInterval::Key("by-dev/meta/root-coord/database/collection-info/1/7");
  state_.ReplaceInterval(key, {}, revision_ + 10);
  EXPECT_THAT(Take().gone_collections, ElementsAre(Gone<CollectionId>{7, false}));
  state_.Put(key.begin, Collection("books", kCreated), revision_ + 5);
  EXPECT_THAT(Take().collections, IsEmpty());
}

TEST_F(CatalogStateTest, AnIntervalReplacesOnlyItsOwnKeys) {
  CreateBooks();
  Put("root-coord/partitions/7/71", Partition("p1", kCreated));
  Put("root-coord/partitions/70/5", Partition("of another collection", kCreated));
  (void)Take();
  const EtcdInterval partitions = EtcdInterval::Prefix("by-dev/meta/root-coord/partitions/7/");
  state_.ReplaceInterval(
      partitions,
      {{"by-dev/meta/root-coord/partitions/7/71", Partition("p1", kCreated), 1, revision_}},
      revision_ + 1);
  const CatalogUpdate update = Take();
  ASSERT_THAT(update.collections, SizeIs(1));
  EXPECT_THAT(update.collections[0]->partitions, SizeIs(1));
  EXPECT_TRUE(update.collections[0]->partitions.contains(71));
}

TEST_F(CatalogStateTest, PartitionsCarryTheirStates) {
  CreateBooks();
  Put("root-coord/partitions/7/71", Partition("p1", kCreating));
  EXPECT_THAT(Take().collections, IsEmpty());
  Put("root-coord/partitions/7/71", Partition("p1", kCreated));
  EXPECT_EQ(Take().collections.at(0)->partitions.at(71).state, ObjectState::kCreated);
  Put("root-coord/partitions/7/71", Partition("p1", kDropping));
  EXPECT_EQ(Take().collections.at(0)->partitions.at(71).state, ObjectState::kDropping);
  Put("root-coord/partitions/7/71", kTombstone);
  const CatalogUpdate update = Take();
  EXPECT_EQ(update.collections.at(0)->partitions.at(71).state, ObjectState::kDropped);
  EXPECT_EQ(update.collections.at(0)->partitions.at(71).name, "p1");
}

TEST_F(CatalogStateTest, AnAliasMovesBetweenCollections) {
  CreateBooks();
  Put("root-coord/database/collection-info/1/8", Collection("other", kCreated));
  Put("root-coord/fields/8/100", PrimaryKey());
  Put("root-coord/database/aliases/1/best", Alias(7));
  (void)Take();
  Put("root-coord/database/aliases/1/best", Alias(8));
  const CatalogUpdate update = Take();
  ASSERT_THAT(update.collections, SizeIs(2));
  EXPECT_THAT(update.collections[0]->aliases, IsEmpty());
  EXPECT_THAT(update.collections[1]->aliases, ElementsAre("best"));
  Put("root-coord/database/aliases/1/best", kTombstone);
  EXPECT_THAT(Take().collections.at(0)->aliases, IsEmpty());
}

TEST_F(CatalogStateTest, LoadStateOfCollectionAndPartitions) {
  CreateBooks();
  Put("root-coord/partitions/7/71", Partition("p1", kCreated));
  (void)Take();
  Put("querycoord-collection-loadinfo/7", Load(1, 2));
  EXPECT_EQ(Take().collections.at(0)->load.kind, LoadState::Kind::kCollection);
  Put("querycoord-partition-loadinfo/7/70", Load(2, 0));
  Put("querycoord-partition-loadinfo/7/71", Load(2, 0));
  Put("querycoord-collection-loadinfo/7", Load(2, 2));
  EXPECT_THAT(Take().collections, IsEmpty());  // no flapping while the load is accepted

  Delete("querycoord-partition-loadinfo/7/71");  // release of one partition
  CatalogUpdate update = Take();
  EXPECT_EQ(update.collections.at(0)->load.kind, LoadState::Kind::kPartitions);
  EXPECT_THAT(update.collections.at(0)->load.partitions, ElementsAre(70));

  Delete("querycoord-collection-loadinfo/7");
  EXPECT_EQ(Take().collections.at(0)->load.kind, LoadState::Kind::kNone);
}

TEST_F(CatalogStateTest, ANewListingTellsWhatVanished) {
  CreateBooks();
  Put("root-coord/partitions/7/71", Partition("p1", kCreated));
  Put("root-coord/database/db-info/2", Message().Bytes(2, "db2").Number(4, 1).text());
  Put("root-coord/database/collection-info/1/8", Collection("other", kCreated));
  Put("root-coord/fields/8/100", PrimaryKey());
  (void)Take();

  CatalogState next(Keys());
  const std::string prefix = "by-dev/meta/root-coord/";
  next.Put(prefix + "database/collection-info/1/7", Collection("books", kCreated), 50);
  next.Put(prefix + "fields/7/100", PrimaryKey(), 51);
  next.Put(prefix + "partitions/7/70", Partition("_default", kCreated), 52);
  next.Put(prefix + "partitions/7/71", kTombstone, 53);
  next.Put(prefix + "database/collection-info/1/9", kTombstone, 54);
  const CatalogUpdate update = next.TakeAll(60, &state_);
  EXPECT_TRUE(update.full);
  EXPECT_EQ(update.revision, 60);
  ASSERT_THAT(update.collections, SizeIs(1));
  EXPECT_EQ(update.collections[0]->partitions.at(71).name, "p1");
  EXPECT_EQ(update.collections[0]->partitions.at(71).state, ObjectState::kDropped);
  EXPECT_THAT(update.gone_collections,
              ElementsAre(Gone<CollectionId>{8, false}, Gone<CollectionId>{9, true}));
  EXPECT_THAT(update.gone_databases, ElementsAre(Gone<DatabaseId>{2, false}));
}

TEST_F(CatalogStateTest, AnUndecodableValueKeepsWhatWasKnown) {
  CreateBooks();
  Put("root-coord/database/collection-info/1/7", "\x0b\xff");
  EXPECT_THAT(Take().collections, IsEmpty());
  EXPECT_THAT(state_.TakeProblems(), ElementsAre(testing::HasSubstr("collection-info/1/7")));
  EXPECT_THAT(state_.TakeProblems(), IsEmpty());
}

TEST_F(CatalogStateTest, KeysFromBeforeDatabasesBelongToTheDefaultDatabase) {
  Put("root-coord/collection/7", Collection("books", kCreated));
  Put("root-coord/fields/7/100", PrimaryKey());
  Put("root-coord/aliases/best", Alias(7));
  const CatalogUpdate update = Take();
  ASSERT_THAT(update.collections, SizeIs(1));
  EXPECT_EQ(update.collections[0]->db_id, kLegacyDatabase);
  EXPECT_THAT(update.collections[0]->aliases, ElementsAre("best"));
}

// ---- real keys of real servers -----------------------------------------------------------------

struct RecordedEvent {
  bool deleted = false;
  int64_t revision = 0;
  std::string key;
  std::string value;
};

std::vector<RecordedEvent> Recorded(const std::string& name) {
  const auto path =
      std::filesystem::path(__FILE__).parent_path() / "../../tests/golden/etcd" / name;
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  std::vector<RecordedEvent> events;
  std::string line;
  while (std::getline(file, line)) {
    if (line.starts_with('#')) continue;
    std::istringstream words(line);
    std::string kind, hex;
    RecordedEvent event;
    words >> kind >> event.revision >> event.key >> hex;
    event.deleted = kind == "DEL";
    for (size_t i = 0; hex != "-" && i + 1 < hex.size(); i += 2) {
      event.value.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    events.push_back(std::move(event));
  }
  return events;
}

constexpr CollectionId kA = 470643451431223611;
constexpr CollectionId kB = 470643451431223619;
constexpr CollectionId kC = 470643451431423950;
constexpr DatabaseId kDb1 = 470643451431223604;

class History235 : public testing::Test {
 protected:
  // Applies everything up to `revision` the way a watch does, one revision at a time.
  void To(int64_t revision) {
    while (at_ < events_.size() && events_[at_].revision <= revision) {
      const int64_t now = events_[at_].revision;
      for (; at_ < events_.size() && events_[at_].revision == now; ++at_) {
        const RecordedEvent& event = events_[at_];
        if (event.deleted) {
          state_.Delete(event.key, event.revision);
        } else {
          state_.Put(event.key, event.value, event.revision);
        }
      }
      const CatalogUpdate update = state_.TakeChanges(now);
      for (const SourceCollectionPtr& collection : update.collections) {
        live_[collection->id] = collection;
      }
      for (const SourceDatabase& database : update.databases) databases_[database.id] = database;
      for (const auto& gone : update.gone_collections) gone_[gone.id] = gone.marked;
      for (const auto& gone : update.gone_databases) gone_databases_[gone.id] = gone.marked;
    }
  }

  const std::vector<RecordedEvent> events_ = Recorded("2.3.5-history.txt");
  size_t at_ = 0;
  CatalogState state_{CatalogKeys("by-src", "meta")};
  std::map<CollectionId, SourceCollectionPtr> live_;
  std::map<DatabaseId, SourceDatabase> databases_;
  std::map<CollectionId, bool> gone_;
  std::map<DatabaseId, bool> gone_databases_;
};

TEST_F(History235, CreateAndIndex) {
  To(51);
  EXPECT_THAT(live_, IsEmpty());
  To(52);
  ASSERT_TRUE(live_.contains(kA));
  const SourceCollection& a = *live_[kA];
  EXPECT_EQ(a.name, "a");
  EXPECT_TRUE(a.schema.enable_dynamic_field);
  ASSERT_THAT(a.schema.fields, SizeIs(3));
  EXPECT_EQ(a.schema.fields[1].type_params, (KeyValues{{"dim", "4"}}));
  EXPECT_EQ(a.create_ts, 470643467573526534u);
  EXPECT_EQ(a.consistency_level, 2);
  EXPECT_THAT(a.vchannels, ElementsAre("by-src-rootcoord-dml_0_470643451431223611v0",
                                       "by-src-rootcoord-dml_1_470643451431223611v1"));
  EXPECT_THAT(a.pchannels, ElementsAre("by-src-rootcoord-dml_0", "by-src-rootcoord-dml_1"));
  EXPECT_EQ(a.start_positions.at("by-src-rootcoord-dml_0"),
            std::string("\x02\x00\x34\xba\xb9\x0f\x88\x06", 8));
  EXPECT_EQ(databases_[kDb1].name, "db1");

  To(92);
  ASSERT_THAT(live_[kA]->indexes, SizeIs(2));
  EXPECT_EQ(live_[kA]->indexes.begin()->second.params,
            (KeyValues{{"index_type", "HNSW"},
                       {"metric_type", "L2"},
                       {"params", R"({"M":8,"efConstruction":64})"}}));
  To(93);  // marked deleted, the key stays
  EXPECT_THAT(live_[kA]->indexes, SizeIs(1));
  To(96);
  EXPECT_EQ(live_[kB]->indexes.begin()->second.params,
            (KeyValues{{"index_type", "AUTOINDEX"}, {"metric_type", "IP"}}));
}

TEST_F(History235, Aliases) {
  To(80);
  EXPECT_THAT(live_[kA]->aliases, ElementsAre("al"));
  To(81);
  EXPECT_THAT(live_[kA]->aliases, IsEmpty());
  EXPECT_THAT(live_[kB]->aliases, ElementsAre("al"));
  To(82);
  EXPECT_THAT(live_[kB]->aliases, IsEmpty());
  To(147);
  EXPECT_THAT(live_[kA]->aliases, ElementsAre("al3"));
}

TEST_F(History235, LoadAndRelease) {
  using Kind = LoadState::Kind;
  for (int64_t revision = 98; revision <= 110; ++revision) {
    To(revision);  // the load itself and a partition made while loaded: no flapping
    EXPECT_EQ(live_[kA]->load.kind, Kind::kCollection) << revision;
  }
  To(111);  // release of one partition
  EXPECT_EQ(live_[kA]->load.kind, Kind::kPartitions);
  EXPECT_THAT(live_[kA]->load.partitions, SizeIs(3));
  To(113);
  EXPECT_EQ(live_[kA]->load.kind, Kind::kCollection);
  To(116);
  EXPECT_EQ(live_[kA]->load.kind, Kind::kNone);
  To(122);  // load of one partition
  EXPECT_EQ(live_[kA]->load.kind, Kind::kPartitions);
  EXPECT_THAT(live_[kA]->load.partitions, ElementsAre(470643451431223640));
  To(126);
  EXPECT_THAT(live_[kA]->load.partitions, SizeIs(2));
  To(131);  // load of the collection over it
  EXPECT_EQ(live_[kA]->load.kind, Kind::kCollection);
  To(142);
  EXPECT_EQ(live_[kA]->load.kind, Kind::kNone);
}

TEST_F(History235, RenameSwapAndMove) {
  To(146);
  EXPECT_EQ(live_[kA]->name, "a2");
  To(152);
  EXPECT_EQ(live_[kA]->name, "b");
  EXPECT_EQ(live_[kB]->name, "a3");
  To(154);  // one transaction: the key in the new database, a tombstone in the old
  EXPECT_EQ(live_[kA]->db_id, kDb1);
  EXPECT_EQ(live_[kA]->name, "moved");
  To(159);
  EXPECT_EQ(live_[kA]->db_id, 1);
  EXPECT_EQ(live_[kA]->name, "back");
  EXPECT_THAT(gone_, IsEmpty());
}

TEST_F(History235, Drops) {
  To(156);
  EXPECT_EQ(live_[kA]->partitions.at(470643451431223649).state, ObjectState::kDropping);
  To(158);  // the same name again, beside the one being dropped
  EXPECT_EQ(live_[kA]->partitions.at(470643451431423929).name, "p2");
  To(886);
  EXPECT_EQ(live_[kA]->partitions.at(470643451431223649).state, ObjectState::kDropped);
  EXPECT_EQ(live_[kC]->state, ObjectState::kDropping);
  EXPECT_TRUE(gone_databases_.at(470643451431423942));
  EXPECT_THAT(gone_, IsEmpty());
  To(889);  // fields and partitions are tombstones already, the collection is not
  EXPECT_EQ(live_[kB]->state, ObjectState::kDropping);
  EXPECT_THAT(live_[kB]->schema.fields, SizeIs(3));
  To(892);
  EXPECT_EQ(gone_, (std::map<CollectionId, bool>{{kB, true}, {kC, true}}));
}

CatalogUpdate Listed(const std::string& file, const std::string& root) {
  CatalogState state{CatalogKeys(root, "meta")};
  for (const RecordedEvent& event : Recorded(file)) {
    state.Put(event.key, event.value, event.revision);
  }
  EXPECT_THAT(state.TakeProblems(), IsEmpty());
  return state.TakeAll(1, nullptr);
}

TEST(Golden, Milvus2421) {
  const CatalogUpdate update = Listed("2.4.21-listing.txt", "by-m24");
  EXPECT_THAT(update.databases, SizeIs(2));
  EXPECT_THAT(update.gone_databases, ElementsAre(Gone<DatabaseId>{470642105196878818, true}));
  ASSERT_THAT(update.collections, SizeIs(2));
  const SourceCollection& all = *update.collections[0];
  EXPECT_EQ(all.name, "alltypes");
  EXPECT_EQ(all.state, ObjectState::kDropping);
  ASSERT_THAT(all.schema.fields, SizeIs(16));
  EXPECT_EQ(all.schema.fields[10].element_type, 5);
  EXPECT_EQ(all.schema.fields[14].data_type, 102);
  EXPECT_EQ(all.schema.fields[8].default_value,
            "2\x04"
            "dflt");
  EXPECT_TRUE(all.schema.enable_dynamic_field);
  EXPECT_THAT(all.partitions, SizeIs(3));
  EXPECT_THAT(all.indexes, IsEmpty());  // a drop marks them deleted

  const SourceCollection& a24 = *update.collections[1];
  EXPECT_EQ(a24.state, ObjectState::kCreated);
  EXPECT_EQ(a24.schema.fields[7].data_type, 103);
  EXPECT_EQ(a24.load.kind, LoadState::Kind::kCollection);  // the other partition is being dropped
  ASSERT_THAT(a24.indexes, SizeIs(4));
  EXPECT_EQ(a24.indexes.rbegin()->second.params,
            (KeyValues{{"metric_type", "IP"}, {"index_type", "SPARSE_INVERTED_INDEX"}}));
}

TEST(Golden, Milvus2515) {
  const CatalogUpdate update = Listed("2.5.15-listing.txt", "by-dev");
  ASSERT_THAT(update.collections, SizeIs(2));
  const SourceCollection& all = *update.collections[0];
  EXPECT_TRUE(all.schema.fields[2].nullable);
  EXPECT_EQ(all.load.kind, LoadState::Kind::kCollection);
  EXPECT_EQ(all.partitions.at(470642032580893449).state, ObjectState::kDropping);
  const SourceCollection& bm = *update.collections[1];
  EXPECT_EQ(bm.name, "bm");
  EXPECT_TRUE(bm.schema.fields[2].function_output);
  EXPECT_THAT(bm.schema.functions, ElementsAre(Function{"bm25", "", 1, {"text"}, {"sv"}, {}}));
}

}  // namespace
}  // namespace cdc
