#include "client/rocksmq/rocksmq_store.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/memory_allocator.h>
#include <rocksdb/table.h>
#include <rocksdb/table_properties.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <functional>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "client/rocksmq/block_keeper.h"

namespace cdc {
namespace {

constexpr size_t kBlockCacheBytes = 8 << 20;
// A walk that begins with so many messages of so many bytes each on average is worth being read in
// larger pieces than RocksDB's blocks, though that copies each block once more.
constexpr size_t kMany = 64;
constexpr size_t kSmallBytes = 8 << 10;
constexpr size_t kReadAheadBytes = 64 << 10;

// RocksDB would write a LOG file beside the secondary; its warnings go to our log instead.
class WarningLogger final : public rocksdb::Logger {
 public:
  WarningLogger() : rocksdb::Logger(rocksdb::InfoLogLevel::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    char text[512];
    vsnprintf(text, sizeof text, format, arguments);
    LogDebug("rocksdb: {}", std::string_view(text));
  }
};

class BlockAllocator final : public rocksdb::MemoryAllocator {
 public:
  explicit BlockAllocator(std::shared_ptr<BlockKeeper> blocks) : blocks_(std::move(blocks)) {}
  const char* Name() const override { return "BlockAllocator"; }
  void* Allocate(size_t size) override { return blocks_->Allocate(size); }
  void Deallocate(void* block) override { blocks_->Deallocate(block); }

 private:
  const std::shared_ptr<BlockKeeper> blocks_;
};

// Empty: there is none (any more). Read at each catch-up, so without a stream.
std::string ReadIdentity(const std::string& path) {
  const int file = open((path + "/IDENTITY").c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  char text[256];
  const ssize_t size = read(file, text, sizeof text);
  close(file);
  return size > 0 ? std::string(text, static_cast<size_t>(size)) : std::string();
}

Error StoreError(const std::string& path, const rocksdb::Status& status) {
  return RetryError(Format("RocksMQ store {}: {}", path, status.ToString()));
}

Status CheckPath(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) {
    if (errno == EACCES) {
      return RetryError(Format("RocksMQ store {} is not readable by this process; run it as a user "
                               "who may read the source's data",
                               path),
                        ErrorKind::kInvalid);
    }
    return RetryError(
        Format("no RocksMQ store at {}; set sourceConfig.rocksmq.path to the source's "
               "message store, usually <data>/rocksmq",
               path),
        ErrorKind::kNotFound);
  }
  if (!S_ISDIR(info.st_mode) || access((path + "/CURRENT").c_str(), F_OK) != 0) {
    if (errno == EACCES) {
      return RetryError(Format("RocksMQ store {} is not readable by this process", path),
                        ErrorKind::kInvalid);
    }
    return RetryError(Format("{} is no RocksMQ store (it has no CURRENT file); set "
                             "sourceConfig.rocksmq.path to the source's message store, usually "
                             "<data>/rocksmq",
                             path),
                      ErrorKind::kNotFound);
  }
  if (access(path.c_str(), R_OK | X_OK) != 0 || access((path + "/CURRENT").c_str(), R_OK) != 0) {
    return RetryError(
        Format("RocksMQ store {} is not readable by this process ({})", path, std::strerror(errno)),
        ErrorKind::kInvalid);
  }
  return OkStatus();
}

Status CheckCompression() {
  const std::vector<rocksdb::CompressionType> supported = rocksdb::GetSupportedCompressions();
  const bool zstd =
      std::find(supported.begin(), supported.end(), rocksdb::kZSTD) != supported.end();
  if (zstd) return OkStatus();
  return FatalError("this RocksDB library was built without zstd, which RocksMQ stores need");
}

std::string Prefix(const std::string& topic) {
  return topic + "/";
}
std::string KeyOf(const std::string& topic, uint64_t id) {
  return Prefix(topic) + std::to_string(id);
}

// The id behind "<topic>/"; nullopt: a key of another kind.
std::optional<uint64_t> IdOf(const rocksdb::Slice& key, const std::string& prefix) {
  if (!key.starts_with(prefix)) return std::nullopt;
  uint64_t id = 0;
  const char* begin = key.data() + prefix.size();
  const char* end = key.data() + key.size();
  const auto [stop, error] = std::from_chars(begin, end, id);
  if (error != std::errc() || stop != end || begin == end) return std::nullopt;
  return id;
}

// Names a file of messages for ever; 0: it cannot be told from others (written by a RocksDB before
// 6.25).
uint64_t FileId(const rocksdb::TableProperties& file) {
  if (file.orig_file_number == 0 || file.db_session_id.empty()) return 0;
  return std::hash<std::string>()(file.db_session_id) + file.orig_file_number;
}

rocksdb::ReadOptions Reading() {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  return options;
}

}  // namespace

struct RocksmqStore::Database {
  std::shared_ptr<BlockKeeper> blocks;
  std::unique_ptr<rocksdb::DB> db;
  std::unique_ptr<rocksdb::Iterator> NewIterator() const {
    return std::unique_ptr<rocksdb::Iterator>(db->NewIterator(Reading()));
  }
};

RocksmqStore::RocksmqStore(std::string path) : path_(std::move(path)) {}
RocksmqStore::~RocksmqStore() = default;

Result<std::unique_ptr<RocksmqStore>> RocksmqStore::Open(const std::string& path) {
  CDC_RETURN_IF_ERROR(CheckCompression());
  CDC_RETURN_IF_ERROR(CheckPath(path));
  // The secondary wants a folder of its own, but keeps nothing in it.
  std::string folder = (std::filesystem::temp_directory_path() / "milvus-cdc-XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) {
    return RetryError(Format("cannot make a folder {}: {}", folder, std::strerror(errno)));
  }
  rocksdb::BlockBasedTableOptions table;
  const auto blocks = std::make_shared<BlockKeeper>();
  rocksdb::LRUCacheOptions cache;
  cache.capacity = kBlockCacheBytes;
  cache.memory_allocator = std::make_shared<BlockAllocator>(blocks);
  table.block_cache = rocksdb::NewLRUCache(cache);
  // The kernel reads ahead by itself; being told to for each block takes a tenth of the time.
  table.max_auto_readahead_size = 0;
  rocksdb::Options options;
  options.max_open_files = -1;
  options.max_file_opening_threads = 1;  // else every catch-up starts and joins 16 threads
  options.skip_stats_update_on_db_open = true;
  options.advise_random_on_open = false;
  options.info_log = std::make_shared<WarningLogger>();
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));

  std::unique_ptr<RocksmqStore> store(new RocksmqStore(path));
  store->identity_ = ReadIdentity(path);
  store->database_ = std::make_unique<Database>();
  store->database_->blocks = blocks;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = rocksdb::DB::OpenAsSecondary(options, path, folder, &db);
  store->database_->db.reset(db);
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  if (!status.ok()) return StoreError(path, status);
  CDC_RETURN_IF_ERROR(store->CheckIdentity());
  return store;
}

// Not by inode: a file system gives a freed one to the next file at once.
Status RocksmqStore::CheckIdentity() const {
  if (!identity_.empty() && ReadIdentity(path_) == identity_) return OkStatus();
  return RetryError(Format("RocksMQ store {} was removed or made anew", path_));
}

Status RocksmqStore::CatchUp() {
  const rocksdb::Status status = database_->db->TryCatchUpWithPrimary();
  if (!status.ok()) return StoreError(path_, status);
  return CheckIdentity();  // after it: what was read is of this store
}

uint64_t RocksmqStore::Sequence() const {
  return database_->db->GetLatestSequenceNumber();
}

Result<std::vector<std::optional<uint64_t>>> RocksmqStore::Newest(
    const std::vector<std::string>& topics) {
  std::vector<std::optional<uint64_t>> newest;
  newest.reserve(topics.size());
  for (const std::string& topic : topics) {
    View& view = views_[topic];
    CDC_RETURN_IF_ERROR(LookAt(topic, &view));
    newest.push_back(view.newest);
  }
  return newest;
}

// A block with a message that is only looked at is as expensive as one that is read: with its
// checksum, 1 ms for each MiB. A topic's newest message never becomes an older one; once retention
// has taken all of them, its id stays known.
Status RocksmqStore::LookAt(const std::string& topic, View* view) {
  const std::string prefix = Prefix(topic), end_key = prefix + ":";  // ':' follows '9'
  const rocksdb::Slice end(end_key);
  looking_.clear();
  rocksdb::ReadOptions options = Reading();
  options.iterate_upper_bound = &end;
  // One pointer: RocksDB copies the options several times, and this is done at every look.
  struct Filter {
    const std::vector<LookedInto>& known;
    std::vector<LookedInto>& met;
  } filter{view->files, looking_};
  options.table_filter = [f = &filter](const rocksdb::TableProperties& file) {
    const uint64_t id = FileId(file);
    if (id == 0) return true;
    const auto known = std::find_if(f->known.begin(), f->known.end(),
                                    [id](const LookedInto& one) { return one.file == id; });
    const bool unknown = known == f->known.end();
    f->met.push_back({id, unknown ? UINT64_MAX : known->newest});
    return unknown;
  };
  const std::unique_ptr<rocksdb::Iterator> it(database_->db->NewIterator(options));
  it->Seek(view->newest ? KeyOf(topic, *view->newest + 1) : prefix);
  if (it->Valid()) {
    it->SeekForPrev(end);
    if (it->Valid()) {
      const std::optional<uint64_t> id = IdOf(it->key(), prefix);
      if (id) view->newest = std::max(id, view->newest);
    }
  }
  if (!it->status().ok()) return StoreError(path_, it->status());
  for (LookedInto& one : looking_) one.newest = std::min(one.newest, view->newest.value_or(0));
  view->files.swap(looking_);
  return OkStatus();
}

Result<std::optional<uint64_t>> RocksmqStore::Oldest(const std::string& topic) const {
  const auto it = database_->NewIterator();
  const std::string prefix = Prefix(topic);
  it->Seek(prefix);
  if (!it->status().ok()) return StoreError(path_, it->status());
  return it->Valid() ? IdOf(it->key(), prefix) : std::nullopt;
}

uint64_t RocksmqStore::BytesBetween(const std::string& topic, uint64_t first, uint64_t last) const {
  const std::string begin = KeyOf(topic, first), end = KeyOf(topic, last);
  const rocksdb::Range range(begin, end);
  rocksdb::SizeApproximationOptions options;
  options.include_memtables = true;
  options.include_files = true;
  uint64_t bytes = 0;
  rocksdb::DB* db = database_->db.get();
  const auto status =
      db->GetApproximateSizes(options, db->DefaultColumnFamily(), &range, 1, &bytes);
  return status.ok() ? bytes : 0;
}

Result<bool> RocksmqStore::Contains(const std::string& topic, uint64_t id) const {
  const auto it = database_->NewIterator();
  const std::string key = KeyOf(topic, id);
  it->Seek(key);
  if (!it->status().ok()) return StoreError(path_, it->status());
  return it->Valid() && it->key() == rocksdb::Slice(key);
}

struct RocksmqScan::State {
  rocksdb::DB* db = nullptr;
  std::string prefix;
  std::shared_ptr<const BlockKeeper> blocks;
  std::vector<uint64_t> older;  // files without messages of the walk
  rocksdb::ReadOptions options;
  std::unique_ptr<rocksdb::Iterator> at;
  bool ran = false;

  void OpenAt(const rocksdb::Slice& key) {
    at.reset(db->NewIterator(options));
    at->Seek(key);
  }
  // Goes on from where it is. Only before the store's next CatchUp(): what this iterator still sees
  // may be deleted later.
  void ReadAhead() {
    const std::string key = at->key().ToString();
    options.readahead_size = kReadAheadBytes;
    OpenAt(key);
  }
};

RocksmqScan::RocksmqScan(std::string path, std::unique_ptr<State> state)
    : path_(std::move(path)), state_(std::move(state)) {}
RocksmqScan::~RocksmqScan() = default;

Result<bool> RocksmqScan::Run(uint64_t last, const Each& each) {
  size_t messages = 0, bytes = 0;
  const bool first = !std::exchange(state_->ran, true);
  for (; state_->at->Valid(); state_->at->Next()) {
    if (first && ++messages == kMany && bytes < kMany * kSmallBytes) {
      state_->ReadAhead();
      if (!state_->at->Valid()) break;
    }
    const rocksdb::Iterator& it = *state_->at;
    const std::optional<uint64_t> id = IdOf(it.key(), state_->prefix);
    if (!id || *id > last) return false;
    bytes += it.value().size();
    if (!each(*id, {it.value().data(), it.value().size()})) return true;
  }
  if (!state_->at->status().ok()) return StoreError(path_, state_->at->status());
  return false;
}

Slice RocksmqScan::Keep(std::string_view payload) const {
  return state_->blocks->Keep(payload);
}

std::unique_ptr<RocksmqScan> RocksmqStore::Scan(const std::string& topic, uint64_t first) const {
  auto state = std::make_unique<RocksmqScan::State>();
  state->db = database_->db.get();
  state->options = Reading();
  const auto view = views_.find(topic);
  if (view != views_.end()) {
    for (const LookedInto& one : view->second.files) {
      if (one.newest < first) state->older.push_back(one.file);
    }
    state->options.table_filter = [older = &state->older](const rocksdb::TableProperties& file) {
      return std::find(older->begin(), older->end(), FileId(file)) == older->end();
    };
  }
  state->prefix = Prefix(topic);
  state->blocks = database_->blocks;
  // All ids are equally long, so that keys are in the order of their ids; 0 stands for "all".
  state->OpenAt(first == 0 ? state->prefix : KeyOf(topic, first));
  return std::make_unique<RocksmqScan>(path_, std::move(state));
}

}  // namespace cdc
