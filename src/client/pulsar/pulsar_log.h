// Pulsar, the queue of a Milvus cluster, read with Apache's own client library (libpulsar.h).
//
// Topics are persistent://TENANT/NAMESPACE/<pchannel>, not partitioned; a LogId is {ledger, entry}.
// Only readers are used: what they subscribe is gone when their connection is. Where the broker
// makes topics by itself, opening one that is missing makes it, as Milvus would.
//
// A broker begins silently at the oldest message when a start id has been deleted, goes on silently
// behind a ledger that was deleted under a slow reader, and moves readers forward that are further
// back than a message TTL, though it still holds what they were to read (Pulsar issue 26504; the
// scheduled expiry takes a reader for a backlog). All this is found here: readers begin with the
// message that was read last and want to see it again, and whenever the next message is not the
// entry behind it, a new reader is asked what comes next. What is still held is then read, with a
// warning in the log; what is not is kPositionGone, unless nothing came after the place within the
// last seconds. One case cannot be told apart: everything up to the place was deleted, then
// something new was written, all while nobody read; that counts as gone.
//
// One thread per tail and one for Latest and Held. Errors: kRetry names the broker and the reason;
// a broker that stays away for `patience` is one. Messages in batches (Milvus 2.6) are marked as of
// the streaming format, since their ids are not unique.
//
// Held: Pulsar's client cannot tell bytes. They are guessed: time between the oldest message and
// the place, times the mean rate of what has been read from that topic so far (0: nothing yet).
#pragma once

#include <memory>
#include <string>

#include "base/clock.h"
#include "client/raw_log.h"

namespace cdc {

struct PulsarOptions {
  std::string service_url;  // pulsar://host:port[,host:port], pulsar+ssl://…, or host:port
  std::string tenant = "public";
  std::string name_space = "default";
  std::string auth_plugin;  // see pulsar_auth.h
  std::string auth_params;  // secret
  std::string tls_trust_certs_path;
  bool tls_allow_insecure = false;
  bool tls_validate_hostname = false;
  std::string library = "libpulsar.so";  // a path, or a name for the system's loader
  Duration patience = std::chrono::seconds(10);
};

// Does not connect. Fatal: the library cannot be used, the options make no sense. The destructor
// waits for the log's threads: some 100 ms, with a silent broker up to 10 s.
Result<std::shared_ptr<RawLog>> OpenPulsarLog(const PulsarOptions& options);

}  // namespace cdc
