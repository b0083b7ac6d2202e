// A client of etcd's v3 API, for reading: ranges, read transactions and watches.
//
// Every call blocks, up to the call timeout times the number of endpoints; the class is safe from
// any thread. Endpoints are tried in turn: a read that fails because its endpoint is away goes on
// with the next one. Errors: kRetry (etcd away, timeout, Close), kCompacted (list again), fatal
// (wrong user, password or certificate). Error texts name endpoints, never the password.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace cdc {

struct EtcdConfig {
  std::vector<std::string> endpoints;  // "host:port", "http://host:port" or "https://host:port"
  std::string user;                    // empty: no authentication
  std::string password;                // a secret
  bool tls = false;                    // implied by an https:// endpoint
  std::string ca_pem_path;             // empty: system CAs
  std::string client_pem_path;         // with client_key_path: mutual TLS
  std::string client_key_path;
  std::string server_name;  // expected name in the server's certificate; empty: the endpoint's host
  Duration call_timeout = std::chrono::seconds(5);
};

struct EtcdKeyValue {
  std::string key;
  std::string value;
  int64_t create_revision = 0;
  int64_t mod_revision = 0;
};

// Keys in [begin, end); an empty `end` means the one key `begin`.
struct EtcdInterval {
  std::string begin;
  std::string end;
  static EtcdInterval Key(std::string key) { return {std::move(key), {}}; }
  static EtcdInterval Prefix(std::string prefix);
};

struct EtcdReadOptions {
  int64_t revision = 0;  // 0: the newest, linearizable
  int64_t limit = 0;     // 0: no limit
  bool keys_only = false;
};

struct EtcdPage {
  uint64_t cluster_id = 0;
  int64_t revision = 0;           // of the store when it answered, also for a read of an older one
  std::vector<EtcdKeyValue> kvs;  // by key
  bool more = false;              // there was more than `limit`
};

struct EtcdTxnAnswer {
  uint64_t cluster_id = 0;
  int64_t revision = 0;
  std::vector<std::vector<EtcdKeyValue>> ranges;  // one per asked interval
};

struct EtcdEvent {
  enum class Kind { kPut, kDelete };
  Kind kind = Kind::kPut;
  EtcdKeyValue kv;  // of a delete: key and mod_revision only
};

struct EtcdEvents {
  uint64_t cluster_id = 0;
  int64_t revision = 0;           // of the store when it sent this; later events may be under way
  std::vector<EtcdEvent> events;  // whole revisions, in order
};

// A running watch. Next() from one thread; Cancel() from any.
class EtcdWatch {
 public:
  virtual ~EtcdWatch() = default;
  // Blocks until there are events (or, after creation, an empty acknowledgement). After an error
  // the watch is over. Errors: kRetry (connection lost, cancelled), kCompacted, fatal.
  virtual Result<EtcdEvents> Next() = 0;
  virtual void Cancel() = 0;
};

class EtcdClient {
 public:
  // Checks the configuration and reads the certificate files; does not connect.
  static Result<std::unique_ptr<EtcdClient>> Open(EtcdConfig config);

  virtual ~EtcdClient() = default;

  // One page of keys.
  virtual Result<EtcdPage> Range(const EtcdInterval& interval, const EtcdReadOptions& options) = 0;
  // All keys of the interval as of one revision, which `revision` of the answer names, fetched in
  // pages of `page_size` keys. A compaction in between: kCompacted.
  virtual Result<EtcdPage> RangeAll(const EtcdInterval& interval, int64_t page_size) = 0;
  // Several intervals in one transaction, as of `revision` (0: the newest); at most
  // kMaxIntervalsInTxn of them.
  static constexpr size_t kMaxIntervalsInTxn = 128;  // a limit of etcd
  virtual Result<EtcdTxnAnswer> ReadTxn(const std::vector<EtcdInterval>& intervals,
                                        int64_t revision) = 0;
  // Events from `from_revision` on. Opening does not wait for the server.
  virtual Result<std::unique_ptr<EtcdWatch>> Watch(const EtcdInterval& interval,
                                                   int64_t from_revision) = 0;

  // Ends calls and watches in progress and fails later ones with kRetry; for a quick end.
  virtual void Close() = 0;
  // "host:port, host:port", for messages.
  virtual const std::string& endpoints() const = 0;
};

}  // namespace cdc
