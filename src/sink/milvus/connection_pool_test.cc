#include "sink/milvus/connection_pool.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

namespace cdc {
namespace {

TargetAddress Nobody() {
  TargetAddress address;
  address.host = "127.0.0.1";
  address.port = 1;
  return address;
}

class Borrower {
 public:
  void Borrow(ConnectionPool* pool) {
    pool->Borrow([this](const Result<MilvusClient*>& lent) {
      ASSERT_TRUE(lent.ok());
      client = *lent;
    });
  }
  MilvusClient* client = nullptr;
};

TEST(ConnectionPoolTest, TheLatestGivenBackIsLentFirst) {
  ConnectionPool pool(Nobody(), 3);
  Borrower a, b, c;
  a.Borrow(&pool);
  b.Borrow(&pool);
  EXPECT_NE(a.client, b.client);
  pool.GiveBack(a.client);
  pool.GiveBack(b.client);
  EXPECT_EQ(pool.idle(), 2U);
  c.Borrow(&pool);
  EXPECT_EQ(c.client, b.client);
  EXPECT_EQ(pool.lent(), 1U);
}

TEST(ConnectionPoolTest, WhoComesWhenAllAreLentWaitsInTurn) {
  ConnectionPool pool(Nobody(), 1);
  Borrower a, b, c;
  a.Borrow(&pool);
  b.Borrow(&pool);
  c.Borrow(&pool);
  EXPECT_EQ(b.client, nullptr);
  pool.GiveBack(a.client);
  EXPECT_EQ(b.client, a.client);
  EXPECT_EQ(c.client, nullptr);
  pool.Close(b.client);
  EXPECT_NE(c.client, nullptr);
  EXPECT_EQ(pool.lent(), 1U);
}

TEST(ConnectionPoolTest, AfterTroubleNoneThatWasIdleIsLent) {
  ConnectionPool pool(Nobody(), 3);
  Borrower a, b;
  a.Borrow(&pool);
  b.Borrow(&pool);
  pool.GiveBack(a.client);
  pool.Close(b.client);
  EXPECT_EQ(pool.idle(), 0U);
  EXPECT_EQ(pool.lent(), 0U);
}

// The certificate went away: nobody is lent one any more who could serve the next by giving it
// back.
TEST(ConnectionPoolTest, AllWhoWaitLearnThatNoneCanBeOpened) {
  TargetAddress address = Nobody();
  address.tls = true;
  address.ca_pem_path = testing::TempDir() + "connection_pool_test.pem";
  std::ofstream(address.ca_pem_path) << "a certificate";
  ConnectionPool pool(address, 1);
  Borrower a;
  a.Borrow(&pool);
  int refused = 0;
  for (int i = 0; i < 3; ++i) {
    pool.Borrow([&](const Result<MilvusClient*>& lent) { refused += lent.ok() ? 0 : 1; });
  }
  std::remove(address.ca_pem_path.c_str());
  pool.Close(a.client);
  EXPECT_EQ(refused, 3);
  EXPECT_EQ(pool.lent(), 0U);
}

}  // namespace
}  // namespace cdc
