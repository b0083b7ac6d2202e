// LibPulsar: the functions that we use of Apache's Pulsar client library, found at run time, since
// Debian has no package of it and only sources on Pulsar need it.
//
// Names, signatures and numbers are those of the library's C interface (include/pulsar/c of
// apache/pulsar-client-cpp). One function is missing there and is taken from the C++ interface:
// pulsar::Reader::getLastMessageId(MessageId&). It can be called with the C handles, because
// pulsar_reader_t and pulsar_message_id_t are structs with the C++ object as their only member.
//
// Once loaded the library stays until the process ends: it has threads. Safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"

namespace cdc::libpulsar {

struct Authentication;
struct Client;
struct ClientConfiguration;
struct Message;
struct MessageId;
struct Reader;
struct ReaderConfiguration;

// pulsar_result, the values that we tell apart.
enum Code : int {
  kOk = 0,
  kUnknownError = 1,
  kTimeout = 3,
  kLookupError = 4,
  kConnectError = 5,
  kReadError = 6,
  kAuthenticationError = 7,
  kAuthorizationError = 8,
  kNoAuthenticationData = 9,
  kNotConnected = 14,
  kAlreadyClosed = 15,
  kInvalidTopicName = 21,
  kServiceUnitNotReady = 23,
  kTopicNotFound = 29,
  kDisconnected = 46,
};

enum LogLevel : int { kLogDebug = 0, kLogInfo = 1, kLogWarn = 2, kLogError = 3 };

using LogFunction = void (*)(LogLevel, const char* file, int line, const char* text, void*);
using ReaderCallback = void (*)(Code, Reader*, void*);
using CodeCallback = void (*)(Code, void*);

// X(name without "pulsar_", type of the result, parameters)
#define CDC_LIBPULSAR_FUNCTIONS(X)                                                                 \
  X(result_str, const char*, (Code))                                                               \
  X(client_configuration_create, ClientConfiguration*, ())                                         \
  X(client_configuration_free, void, (ClientConfiguration*))                                       \
  X(client_configuration_set_auth, void, (ClientConfiguration*, Authentication*))                  \
  X(client_configuration_set_operation_timeout_seconds, void, (ClientConfiguration*, int))         \
  X(client_configuration_set_logger, void, (ClientConfiguration*, LogFunction, void*))             \
  X(client_configuration_set_stats_interval_in_seconds, void, (ClientConfiguration*, unsigned))    \
  X(client_configuration_set_tls_trust_certs_file_path, void, (ClientConfiguration*, const char*)) \
  X(client_configuration_set_tls_allow_insecure_connection, void, (ClientConfiguration*, int))     \
  X(client_configuration_set_validate_hostname, void, (ClientConfiguration*, int))                 \
  X(authentication_create, Authentication*, (const char* plugin, const char* parameters))          \
  X(authentication_tls_create, Authentication*, (const char* certificate, const char* key))        \
  X(authentication_basic_create, Authentication*, (const char* user, const char* password))        \
  X(authentication_oauth2_create, Authentication*, (const char* parameters))                       \
  X(authentication_athenz_create, Authentication*, (const char* parameters))                       \
  X(authentication_free, void, (Authentication*))                                                  \
  X(client_create, Client*, (const char* service_url, const ClientConfiguration*))                 \
  X(client_close_async, void, (Client*, CodeCallback, void*))                                      \
  X(client_free, void, (Client*))                                                                  \
  X(client_create_reader_async, void,                                                              \
    (Client*, const char* topic, const MessageId* start, ReaderConfiguration*, ReaderCallback,     \
     void*))                                                                                       \
  X(reader_configuration_create, ReaderConfiguration*, ())                                         \
  X(reader_configuration_free, void, (ReaderConfiguration*))                                       \
  X(reader_configuration_set_receiver_queue_size, void, (ReaderConfiguration*, int))               \
  X(reader_configuration_set_reader_name, void, (ReaderConfiguration*, const char*))               \
  X(reader_configuration_set_subscription_role_prefix, void, (ReaderConfiguration*, const char*))  \
  X(reader_read_next, Code, (Reader*, Message**))                                                  \
  X(reader_read_next_with_timeout, Code, (Reader*, Message**, int milliseconds))                   \
  X(reader_is_connected, int, (Reader*))                                                           \
  X(reader_close_async, void, (Reader*, CodeCallback, void*))                                      \
  X(reader_free, void, (Reader*))                                                                  \
  X(message_get_data, const void*, (Message*))                                                     \
  X(message_get_length, uint32_t, (Message*))                                                      \
  X(message_get_message_id, MessageId*, (Message*)) /* the caller's */                             \
  X(message_has_property, int, (Message*, const char*))                                            \
  X(message_get_property, const char*, (Message*, const char*))                                    \
  X(message_get_publish_timestamp, uint64_t, (Message*))                                           \
  X(message_free, void, (Message*))                                                                \
  X(message_id_earliest, const MessageId*, ())                                                     \
  X(message_id_serialize, void*, (MessageId*, int* size)) /* MessageIdData; to be free()d */       \
  X(message_id_deserialize, MessageId*, (const void*, uint32_t size))                              \
  X(message_id_free, void, (MessageId*))

struct Functions {
#define CDC_DECLARE(name, result, parameters) result(*name) parameters = nullptr;
  CDC_LIBPULSAR_FUNCTIONS(CDC_DECLARE)
#undef CDC_DECLARE
  // pulsar::Reader::getLastMessageId: blocks; an entry of -1: the topic is empty.
  Code (*reader_get_last_message_id)(Reader*, MessageId*) = nullptr;
};

// `library`: a path, or a name for the system's loader. Fatal: not there, or lacks a function.
Result<const Functions*> Load(const std::string& library);

}  // namespace cdc::libpulsar
