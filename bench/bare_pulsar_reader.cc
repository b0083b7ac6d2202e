#include <future>
#include <utility>

#include "base/clock.h"
#include "base/format.h"
#include "bench/bare_readers.h"
#include "client/pulsar/libpulsar.h"
#include "client/pulsar/libpulsar_connection.h"

namespace cdc::bench {
namespace {

using Opened = std::pair<libpulsar::Code, libpulsar::Reader*>;

Opened OpenReader(const libpulsar::Functions& lib, libpulsar::Client* client,
                  const std::string& topic) {
  std::promise<Opened> opened;
  libpulsar::ReaderConfiguration* config = lib.reader_configuration_create();
  lib.client_create_reader_async(
      client, topic.c_str(), lib.message_id_earliest(), config,
      [](libpulsar::Code code, libpulsar::Reader* reader, void* context) {
        static_cast<std::promise<Opened>*>(context)->set_value({code, reader});
      },
      &opened);
  Opened result = opened.get_future().get();
  lib.reader_configuration_free(config);
  return result;
}

void Close(const libpulsar::Functions& lib, libpulsar::Client* client) {
  std::promise<void> closed;
  lib.client_close_async(
      client,
      [](libpulsar::Code, void* context) {
        static_cast<std::promise<void>*>(context)->set_value();
      },
      &closed);
  closed.get_future().wait();
  lib.client_free(client);
}

}  // namespace

Result<BareCount> DrainPulsar(const PulsarOptions& options, const std::string& topic,
                              uint64_t messages) {
  CDC_ASSIGN_OR_RETURN(const libpulsar::Functions* lib, libpulsar::Load(options.library));
  CDC_ASSIGN_OR_RETURN(libpulsar::Client * client, MakePulsarClient(lib, options));
  const SystemClock clock;
  const TimePoint begin = clock.Now();
  auto [code, reader] = OpenReader(*lib, client, PulsarTopic(options, topic));
  BareCount count;
  while (code == libpulsar::kOk && count.messages < messages) {
    libpulsar::Message* message = nullptr;
    code = lib->reader_read_next(reader, &message);
    if (code != libpulsar::kOk) break;
    ++count.messages;
    count.bytes += lib->message_get_length(message);
    lib->message_free(message);
  }
  count.seconds = std::chrono::duration<double>(clock.Now() - begin).count();
  if (reader != nullptr) lib->reader_free(reader);
  Close(*lib, client);
  if (code != libpulsar::kOk) return RetryError(Format("libpulsar: {}", lib->result_str(code)));
  return count;
}

}  // namespace cdc::bench
