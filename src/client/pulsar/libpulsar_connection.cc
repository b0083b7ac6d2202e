#include "client/pulsar/libpulsar_connection.h"

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <utility>

#include "base/format.h"
#include "client/pulsar/libpulsar_diary.h"
#include "client/pulsar/pulsar_auth.h"
#include "client/pulsar/pulsar_id.h"

namespace cdc {
namespace {

using libpulsar::Code;
using std::chrono::milliseconds;

// What libpulsar gives a call to the broker, its own retries included.
constexpr int kOperationSeconds = 10;
constexpr milliseconds kLookForStop(100);
constexpr milliseconds kCloseWait(3000);
constexpr size_t kKeptBytes = 32 << 10;  // a payload from this on stays where libpulsar has it
constexpr uint64_t kRepeated = 3;        // connections made for one call
constexpr const char* kReaderName = "milvus-cdc";  // seen by who lists subscriptions

// --- errors ------------------------------------------------------------------------------------

std::pair<ErrorKind, std::string_view> Meaning(Code code) {
  switch (code) {
    case libpulsar::kTimeout:
      return {ErrorKind::kUnavailable, "no answer in time"};
    case libpulsar::kConnectError:
    case libpulsar::kReadError:
    case libpulsar::kNotConnected:
    case libpulsar::kDisconnected:
    case libpulsar::kAlreadyClosed:
      return {ErrorKind::kUnavailable, "no connection"};
    case libpulsar::kLookupError:
    case libpulsar::kServiceUnitNotReady:
      return {ErrorKind::kUnavailable, "the topic is not served yet"};
    case libpulsar::kAuthenticationError:
    case libpulsar::kNoAuthenticationData:
      return {ErrorKind::kInvalid, "authentication failed: check authPlugin and authParams"};
    case libpulsar::kAuthorizationError:
      return {ErrorKind::kInvalid, "not authorized to read: its role needs the permission consume"};
    case libpulsar::kTopicNotFound:
      return {ErrorKind::kNotFound, "there is no such topic, namespace or tenant"};
    case libpulsar::kInvalidTopicName:
      return {ErrorKind::kInvalid, "no valid topic name"};
    case libpulsar::kUnknownError:
      // Seen after a broker came back without its bookie (Pulsar issue 23654).
      return {ErrorKind::kUnavailable,
              "the broker cannot read the topic; if it stays so, unload the topic there"};
    default:
      return {ErrorKind::kOther, ""};
  }
}

struct Handle {
  const libpulsar::Functions* lib;
  std::string name;  // of the broker
  std::atomic<bool> stop = false;

  // `before`: the diary when the call began.
  Error ErrorOf(Code code, const std::string& topic,
                const std::optional<LibpulsarDiary::Page>& before = std::nullopt) const {
    const auto [kind, meaning] = Meaning(code);
    std::string text = Format("{}: {}: ", name, topic);
    if (!meaning.empty()) text += Format("{} ", meaning);
    text += Format("({})", lib->result_str(code));
    return RetryError(text + (before ? Reason(*before) : ""), kind);
  }

  static std::string Reason(const LibpulsarDiary::Page& before) {
    const LibpulsarDiary::Page now = TheLibpulsarDiary().page();
    if (now.lines > before.lines) return "; libpulsar: " + now.last;
    if (now.connections < before.connections + kRepeated) return "";
    // So ends what a broker does not let in; it gives no reason that libpulsar would pass on.
    return "; the broker closes each connection at once: check authPlugin and authParams, and "
           "whether it wants TLS";
  }
};

// --- readers -----------------------------------------------------------------------------------

// Closes it whenever the broker answers, and frees it.
void CloseReader(const libpulsar::Functions* lib, libpulsar::Reader* reader) {
  struct Closing {
    const libpulsar::Functions* lib;
    libpulsar::Reader* reader;
  };
  lib->reader_close_async(
      reader,
      [](Code, void* context) {
        const std::unique_ptr<Closing> closing(static_cast<Closing*>(context));
        closing->lib->reader_free(closing->reader);
      },
      new Closing{lib, reader});
}

class LibpulsarReader final : public PulsarReader {
 public:
  LibpulsarReader(std::shared_ptr<Handle> handle, std::string topic, std::optional<LogId> first,
                  libpulsar::Reader* reader)
      : handle_(std::move(handle)), topic_(std::move(topic)), first_(first), reader_(reader) {}
  ~LibpulsarReader() override { CloseReader(handle_->lib, reader_); }

  Result<std::optional<PulsarMessage>> Next(milliseconds wait) override {
    libpulsar::Message* message = nullptr;
    const Code code = handle_->lib->reader_read_next_with_timeout(reader_, &message,
                                                                  static_cast<int>(wait.count()));
    if (code == libpulsar::kTimeout) return std::optional<PulsarMessage>();
    if (code != libpulsar::kOk) return handle_->ErrorOf(code, topic_);
    auto taken = Take({message, handle_->lib->message_free});
    if (!taken.ok()) return taken.error();
    // The reader begins behind the message before the first; when its connection is made anew
    // before anything was read, libpulsar delivers that one too.
    if (first_ && taken->id < *first_) return Next(wait);
    return std::optional<PulsarMessage>(*std::move(taken));
  }

  bool Connected() override { return handle_->lib->reader_is_connected(reader_) != 0; }

  Result<std::optional<LogId>> Newest() override {
    // Any id will do: the call puts another one in its place.
    const std::string bytes = EncodePulsarIdBefore({0, 1});
    libpulsar::MessageId* id =
        handle_->lib->message_id_deserialize(bytes.data(), static_cast<uint32_t>(bytes.size()));
    const Code code = handle_->lib->reader_get_last_message_id(reader_, id);
    const auto decoded = Decode(id);
    if (code != libpulsar::kOk) return handle_->ErrorOf(code, topic_);
    if (!decoded.ok()) return std::optional<LogId>();
    return std::optional<LogId>(decoded->id);
  }

 private:
  Result<PulsarMessageId> Decode(libpulsar::MessageId* id) const {
    int size = 0;
    void* bytes = handle_->lib->message_id_serialize(id, &size);
    auto decoded = DecodePulsarMessageId(
        std::string_view(static_cast<const char*>(bytes), static_cast<size_t>(size)));
    free(bytes);
    handle_->lib->message_id_free(id);
    return decoded;
  }

  Result<PulsarMessage> Take(const std::shared_ptr<libpulsar::Message>& owner) const {
    const libpulsar::Functions& lib = *handle_->lib;
    libpulsar::Message* message = owner.get();
    CDC_ASSIGN_OR_RETURN(const PulsarMessageId id, Decode(lib.message_get_message_id(message)));
    PulsarMessage taken;
    taken.id = id.id;
    taken.in_batch = id.in_batch;
    const std::string_view bytes(static_cast<const char*>(lib.message_get_data(message)),
                                 lib.message_get_length(message));
    taken.payload = bytes.size() >= kKeptBytes ? Slice{owner, bytes} : Slice::Copy(bytes);
    taken.streaming = lib.message_has_property(message, "_v") != 0 &&
                      lib.message_get_property(message, "_v") != std::string_view("0");
    taken.publish_ms = static_cast<int64_t>(lib.message_get_publish_timestamp(message));
    return taken;
  }

  const std::shared_ptr<Handle> handle_;
  const std::string topic_;
  const std::optional<LogId> first_;
  libpulsar::Reader* const reader_;
};

// --- the connection ----------------------------------------------------------------------------

// What a call and its callback share; whoever comes last frees it.
struct Waiting {
  const libpulsar::Functions* lib = nullptr;
  std::mutex mutex;
  std::condition_variable answered;
  std::optional<Code> code;
  libpulsar::Reader* reader = nullptr;
  bool given_up = false;

  static void* Pass(const std::shared_ptr<Waiting>& waiting) {
    return new std::shared_ptr<Waiting>(waiting);
  }
  static void Answer(Code code, libpulsar::Reader* reader, void* context) {
    const std::unique_ptr<std::shared_ptr<Waiting>> own(
        static_cast<std::shared_ptr<Waiting>*>(context));
    Waiting& waiting = **own;
    const std::lock_guard lock(waiting.mutex);
    if (waiting.given_up) {
      if (reader != nullptr) CloseReader(waiting.lib, reader);
      return;
    }
    waiting.code = code;
    waiting.reader = reader;
    waiting.answered.notify_all();
  }
};

class LibpulsarConnection final : public PulsarConnection {
 public:
  LibpulsarConnection(std::shared_ptr<Handle> handle, PulsarOptions options,
                      libpulsar::Client* client)
      : handle_(std::move(handle)), options_(std::move(options)), client_(client) {}

  ~LibpulsarConnection() override {
    Shutdown();
    auto waiting = std::make_shared<Waiting>();
    handle_->lib->client_close_async(
        client_, [](Code code, void* context) { Waiting::Answer(code, nullptr, context); },
        Waiting::Pass(waiting));
    {
      std::unique_lock lock(waiting->mutex);
      waiting->answered.wait_for(lock, kCloseWait, [&] { return waiting->code.has_value(); });
    }
    handle_->lib->client_free(client_);
  }

  Result<std::unique_ptr<PulsarReader>> Open(const std::string& channel, std::optional<LogId> first,
                                             int queue) override {
    const std::string topic = PulsarTopic(options_, channel);
    auto waiting = std::make_shared<Waiting>();
    waiting->lib = handle_->lib;
    const LibpulsarDiary::Page before = TheLibpulsarDiary().page();
    Start(topic, first, queue, Waiting::Pass(waiting));
    std::unique_lock lock(waiting->mutex);
    while (!waiting->code && !handle_->stop) waiting->answered.wait_for(lock, kLookForStop);
    if (!waiting->code) {
      waiting->given_up = true;
      return handle_->ErrorOf(libpulsar::kAlreadyClosed, topic);
    }
    if (*waiting->code != libpulsar::kOk) return handle_->ErrorOf(*waiting->code, topic, before);
    return std::unique_ptr<PulsarReader>(
        std::make_unique<LibpulsarReader>(handle_, topic, first, waiting->reader));
  }

  const std::string& name() const override { return handle_->name; }
  void Shutdown() override { handle_->stop = true; }

 private:
  void Start(const std::string& topic, std::optional<LogId> first, int queue, void* context) {
    const libpulsar::Functions& lib = *handle_->lib;
    libpulsar::ReaderConfiguration* config = lib.reader_configuration_create();
    lib.reader_configuration_set_receiver_queue_size(config, queue);
    lib.reader_configuration_set_reader_name(config, kReaderName);
    lib.reader_configuration_set_subscription_role_prefix(config, kReaderName);
    if (first) {
      const std::string bytes = EncodePulsarIdBefore(*first);
      libpulsar::MessageId* start =
          lib.message_id_deserialize(bytes.data(), static_cast<uint32_t>(bytes.size()));
      lib.client_create_reader_async(client_, topic.c_str(), start, config, Waiting::Answer,
                                     context);
      lib.message_id_free(start);
    } else {
      lib.client_create_reader_async(client_, topic.c_str(), lib.message_id_earliest(), config,
                                     Waiting::Answer, context);
    }
    lib.reader_configuration_free(config);
  }

  const std::shared_ptr<Handle> handle_;
  const PulsarOptions options_;
  libpulsar::Client* const client_;
};

libpulsar::Authentication* MakeAuthentication(const libpulsar::Functions& lib,
                                              const PulsarAuth& auth) {
  switch (auth.kind) {
    case PulsarAuth::Kind::kNone:
      return nullptr;
    case PulsarAuth::Kind::kToken:
      return lib.authentication_create("token", auth.first.c_str());
    case PulsarAuth::Kind::kTls:
      return lib.authentication_tls_create(auth.first.c_str(), auth.second.c_str());
    case PulsarAuth::Kind::kBasic:
      return lib.authentication_basic_create(auth.first.c_str(), auth.second.c_str());
    case PulsarAuth::Kind::kOauth2:
      return lib.authentication_oauth2_create(auth.first.c_str());
    case PulsarAuth::Kind::kAthenz:
      return lib.authentication_athenz_create(auth.first.c_str());
  }
  return nullptr;
}

bool IsHostAndPort(std::string_view text) {
  const size_t colon = text.rfind(':');
  const std::string_view host = text.substr(0, colon);
  if (host.empty() || host.find_first_of("/@ ?#") != std::string_view::npos) return false;
  if (colon == std::string_view::npos) return true;
  const std::string_view port = text.substr(colon + 1);
  return !port.empty() && port.size() <= 5 &&
         port.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

// libpulsar throws at what it does not understand.
Result<std::string> PulsarServiceUrl(const std::string& address) {
  std::string url = address;
  if (url.find("://") == std::string::npos) url = "pulsar://" + url;
  while (url.ends_with('/')) url.pop_back();
  const size_t scheme = url.find("://");
  const std::string_view name = std::string_view(url).substr(0, scheme);
  const Error wrong = InvalidError(Format(
      "Pulsar address {}: it is like pulsar://host:6650 or pulsar+ssl://host:6651", address));
  if (name != "pulsar" && name != "pulsar+ssl") return wrong;
  std::string_view hosts = std::string_view(url).substr(std::min(scheme + 3, url.size()));
  while (true) {
    const size_t comma = hosts.find(',');
    if (!IsHostAndPort(hosts.substr(0, comma))) return wrong;
    if (comma == std::string_view::npos) return url;
    hosts.remove_prefix(comma + 1);
  }
}

std::string PulsarTopic(const PulsarOptions& options, const std::string& channel) {
  return Format("persistent://{}/{}/{}", options.tenant, options.name_space, channel);
}

Result<libpulsar::Client*> MakePulsarClient(const libpulsar::Functions* lib,
                                            const PulsarOptions& options) {
  CDC_ASSIGN_OR_RETURN(const std::string url, PulsarServiceUrl(options.service_url));
  CDC_ASSIGN_OR_RETURN(const PulsarAuth auth,
                       ParsePulsarAuth(options.auth_plugin, options.auth_params));
  TheLibpulsarDiary().Hide(auth.secrets);
  libpulsar::ClientConfiguration* config = lib->client_configuration_create();
  lib->client_configuration_set_logger(config, WriteLibpulsarDiary, nullptr);
  lib->client_configuration_set_operation_timeout_seconds(config, kOperationSeconds);
  lib->client_configuration_set_stats_interval_in_seconds(config, 0);
  if (!options.tls_trust_certs_path.empty()) {
    lib->client_configuration_set_tls_trust_certs_file_path(config,
                                                            options.tls_trust_certs_path.c_str());
  }
  lib->client_configuration_set_tls_allow_insecure_connection(config, options.tls_allow_insecure);
  lib->client_configuration_set_validate_hostname(config, options.tls_validate_hostname);
  libpulsar::Authentication* authentication = MakeAuthentication(*lib, auth);
  if (authentication != nullptr) lib->client_configuration_set_auth(config, authentication);
  libpulsar::Client* client = lib->client_create(url.c_str(), config);
  if (authentication != nullptr) lib->authentication_free(authentication);
  lib->client_configuration_free(config);
  return client;
}

Result<std::unique_ptr<PulsarConnection>> OpenPulsarConnection(const PulsarOptions& options) {
  if (options.tenant.empty() || options.name_space.empty()) {
    return InvalidError("Pulsar needs a tenant and a namespace");
  }
  auto handle = std::make_shared<Handle>();
  CDC_ASSIGN_OR_RETURN(const std::string url, PulsarServiceUrl(options.service_url));
  handle->name = "Pulsar at " + url;
  CDC_ASSIGN_OR_RETURN(handle->lib, libpulsar::Load(options.library));
  CDC_ASSIGN_OR_RETURN(libpulsar::Client * client, MakePulsarClient(handle->lib, options));
  return std::unique_ptr<PulsarConnection>(
      std::make_unique<LibpulsarConnection>(std::move(handle), options, client));
}

}  // namespace cdc
