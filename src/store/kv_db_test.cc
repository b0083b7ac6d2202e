// What KvTables relies on in a KvDb; on memory, and on real servers when the environment names
// them.
#include "store/kv_db.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/store_backends_test.h"

namespace cdc {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using Kind = KvCondition::Kind;

class KvDbTest : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    backend_ = MakeKvBackend(GetParam());
    db_ = Open();
  }
  std::unique_ptr<KvDb> Open() {
    Result<std::unique_ptr<KvDb>> db = backend_->Open();
    EXPECT_TRUE(db.ok()) << db.error().message;
    return db.ok() ? *std::move(db) : nullptr;
  }
  // True, false, or a failed test.
  bool Commit(const std::vector<KvCondition>& conditions, const KvChanges& changes) {
    const Result<bool> done = db_->Commit(conditions, changes);
    EXPECT_TRUE(done.ok()) << done.error().message;
    return done.ok() && *done;
  }
  bool Put(const std::string& key, const std::string& value) {
    return Commit({}, {{{key, value}}, {}});
  }
  std::map<std::string, std::string> List(const std::string& prefix) {
    Result<std::map<std::string, std::string>> found = db_->List(prefix);
    EXPECT_TRUE(found.ok()) << found.error().message;
    return found.ok() ? *found : std::map<std::string, std::string>{};
  }

  std::unique_ptr<KvBackend> backend_;
  std::unique_ptr<KvDb> db_;
};

TEST_P(KvDbTest, ValuesComeBackToAnotherHandle) {
  const std::string bytes("\0\xff'\"%_\\\n\xc3\x28", 10);
  ASSERT_TRUE(Put("a", bytes));
  ASSERT_TRUE(Put("empty", ""));
  const std::unique_ptr<KvDb> other = Open();
  EXPECT_EQ(**other->Get("a"), bytes);
  EXPECT_EQ(**other->Get("empty"), "");
  EXPECT_FALSE(other->Get("b")->has_value());
  EXPECT_FALSE(other->Get("A")->has_value());
  EXPECT_FALSE(other->Get("a ")->has_value());
}

TEST_P(KvDbTest, ListTakesThePrefixLiterally) {
  for (const char* key : {"a", "a%", "a%/1", "a%/2", "a_", "ab/1", "A%/3", "b"}) {
    ASSERT_TRUE(Put(key, key));
  }
  EXPECT_THAT(List("a%/"), ElementsAre(Pair("a%/1", "a%/1"), Pair("a%/2", "a%/2")));
  EXPECT_THAT(List("a_"), ElementsAre(Pair("a_", "a_")));
  EXPECT_THAT(List("c"), IsEmpty());
  EXPECT_EQ(List("").size(), 8u);
}

TEST_P(KvDbTest, CommitIsAllOrNothing) {
  ASSERT_TRUE(Put("there", "1"));
  const KvChanges changes{{{"x", "new"}, {"there", std::nullopt}}, {}};
  EXPECT_FALSE(Commit({{"missing", Kind::kPresent, {}}}, changes));
  EXPECT_FALSE(Commit({{"there", Kind::kAbsent, {}}}, changes));
  EXPECT_FALSE(Commit({{"there", Kind::kEquals, "2"}}, changes));
  EXPECT_FALSE(Commit({{"there", Kind::kEquals, "1 "}}, changes));
  EXPECT_FALSE(Commit({{"missing", Kind::kEquals, ""}}, changes));
  EXPECT_FALSE(Commit({{"there", Kind::kEquals, "1"}, {"x", Kind::kPresent, {}}}, changes));
  EXPECT_THAT(List(""), ElementsAre(Pair("there", "1")));
  EXPECT_TRUE(Commit({{"there", Kind::kEquals, "1"}, {"x", Kind::kAbsent, {}}}, changes));
  EXPECT_THAT(List(""), ElementsAre(Pair("x", "new")));
}

TEST_P(KvDbTest, ErasingAPrefixLeavesItsNeighbours) {
  for (const char* key : {"p/1", "p/2", "p", "p0", "q/1", "p%/1"}) ASSERT_TRUE(Put(key, key));
  ASSERT_TRUE(Commit({}, {{{"new", "n"}, {"q/1", std::nullopt}}, {"p/"}}));
  EXPECT_THAT(List(""), ElementsAre(Pair("new", "n"), Pair("p", "p"), Pair("p%/1", "p%/1"),
                                    Pair("p0", "p0")));
  EXPECT_TRUE(Commit({}, {{{"never was", std::nullopt}}, {"nothing/"}}));
}

TEST_P(KvDbTest, TakesAsMuchAsItSays) {
  const KvLimits limits = db_->limits();
  const size_t operations = std::min<size_t>(limits.operations, 1000);
  KvChanges many;
  std::vector<KvCondition> conditions;
  for (size_t i = 0; i < operations; ++i) {
    const std::string key = "key" + std::to_string(i);
    many.keys[key] = "v";
    conditions.push_back({key, Kind::kAbsent, {}});
  }
  EXPECT_TRUE(Commit(conditions, many));
  EXPECT_EQ(List("key").size(), operations);
  const std::string large(std::min<size_t>(limits.bytes, 2'000'000), 'x');
  ASSERT_TRUE(Put("large", large));
  EXPECT_EQ(**db_->Get("large"), large);
}

TEST_P(KvDbTest, ManyKeysAreListedWhole) {
  constexpr size_t kKeys = 3000;
  for (size_t begin = 0; begin < kKeys;) {
    KvChanges part;
    for (; begin < kKeys && part.operations() < std::min<size_t>(db_->limits().operations, 100);
         ++begin) {
      part.keys["k/" + std::to_string(begin)] = std::to_string(begin);
    }
    ASSERT_TRUE(Commit({}, part));
  }
  const auto found = List("k/");
  EXPECT_EQ(found.size(), kKeys);
  EXPECT_EQ(found.at("k/2999"), "2999");
}

TEST_P(KvDbTest, OneOfTwoThatWantTheSameGetsIt) {
  ASSERT_TRUE(Put("head", "0"));
  const std::unique_ptr<KvDb> other = Open();
  for (int i = 0; i < 50; ++i) {
    const std::vector<KvCondition> same = {{"head", Kind::kEquals, std::to_string(i)}};
    const KvChanges next{{{"head", std::to_string(i + 1)}}, {}};
    KvDb& first = i % 2 == 0 ? *db_ : *other;
    KvDb& second = i % 2 == 0 ? *other : *db_;
    EXPECT_TRUE(*first.Commit(same, next));
    EXPECT_FALSE(*second.Commit(same, next));
  }
}

INSTANTIATE_TEST_SUITE_P(On, KvDbTest, testing::ValuesIn(KvBackends()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace cdc
