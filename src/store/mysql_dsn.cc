#include "store/mysql_dsn.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>
#include <string_view>

#include "base/format.h"

namespace cdc {
namespace {

constexpr int kLongestSeconds = 3600;

Error Wrong(const std::string& what) {
  return InvalidError(Format(
      "metaStoreConfig.mysqlSourceUrl {}; it is written user:password@tcp(host:port)/database",
      what));
}

// %41 -> A; nothing for a broken escape.
std::optional<std::string> Unescaped(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    unsigned value = 0;
    const char* begin = text.data() + i + 1;
    if (i + 2 >= text.size() || std::from_chars(begin, begin + 2, value, 16).ptr != begin + 2) {
      return {};
    }
    out += static_cast<char>(value);
    i += 2;
  }
  return out;
}

// "1m30s", "500ms": whole seconds, rounded up; 0 where there is no limit.
std::optional<int> Seconds(const std::string& text) {
  static const std::map<std::string, double> kUnits = {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3},
                                                       {"s", 1},     {"m", 60},    {"h", 3600}};
  if (text == "0") return 0;
  double total = 0;
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  while (at != end) {
    double number = 0;
    const auto [unit, error] = std::from_chars(at, end, number, std::chars_format::fixed);
    if (error != std::errc() || number < 0) return {};
    const char* next =
        std::find_if(unit, end, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
    const auto known = kUnits.find(std::string(unit, next));
    if (known == kUnits.end()) return {};
    total += number * known->second;
    at = next;
  }
  if (text.empty() || !(total <= kLongestSeconds)) return {};
  return static_cast<int>(std::ceil(total));
}

Status ReadAddress(const std::string& network, const std::string& address, MysqlDsn* dsn) {
  if (network == "unix") {
    if (address.empty()) return Wrong("names no socket after 'unix'");
    dsn->socket = address;
    return OkStatus();
  }
  if (network != "tcp") return Wrong("has an unknown network; use tcp(...) or unix(...)");
  if (address.empty()) return OkStatus();
  std::string_view host = address;
  const size_t colon = host.rfind(':');
  const bool bare = host.back() == ']' || colon == std::string_view::npos;
  if (!bare) {
    const std::string_view port = host.substr(colon + 1);
    const char* end = port.data() + port.size();
    const auto [stop, error] = std::from_chars(port.data(), end, dsn->port);
    if (error != std::errc() || stop != end || dsn->port == 0) return Wrong("has a wrong port");
    host = host.substr(0, colon);
  }
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return Wrong("has an IPv6 address without brackets");
  }
  if (!host.empty()) dsn->host = host;
  return OkStatus();
}

Status ReadTls(const std::string& value, MysqlDsn* dsn) {
  static const std::map<std::string, MysqlDsn::Tls> kModes = {
      {"", MysqlDsn::Tls::kOff},
      {"false", MysqlDsn::Tls::kOff},
      {"0", MysqlDsn::Tls::kOff},
      {"true", MysqlDsn::Tls::kVerify},
      {"1", MysqlDsn::Tls::kVerify},
      {"skip-verify", MysqlDsn::Tls::kSkipVerify},
      {"preferred", MysqlDsn::Tls::kPreferred}};
  const auto known = kModes.find(value);
  if (known == kModes.end()) {
    return InvalidError(
        "metaStoreConfig.mysqlSourceUrl names a TLS configuration of a Go program; use tls=true "
        "(certificates as the system trusts them), skip-verify, preferred or false");
  }
  dsn->tls = known->second;
  return OkStatus();
}

Status ReadParameter(const std::string& name, const std::string& value, MysqlDsn* dsn) {
  int* const limit = name == "timeout"        ? &dsn->connect_seconds
                     : name == "readTimeout"  ? &dsn->read_seconds
                     : name == "writeTimeout" ? &dsn->write_seconds
                                              : nullptr;
  if (limit != nullptr) {
    const std::optional<int> seconds = Seconds(value);
    if (!seconds) return Wrong("has a wrong " + name + ", which is a time as in 5s");
    if (*seconds > 0) *limit = *seconds;
    return OkStatus();
  }
  if (name == "tls") return ReadTls(value, dsn);
  dsn->ignored.push_back(name);
  return OkStatus();
}

Status ReadParameters(const std::string& text, MysqlDsn* dsn) {
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('&', at), text.size());
    const std::string pair = text.substr(at, end - at);
    at = end + 1;
    if (pair.empty()) continue;
    const size_t equals = pair.find('=');
    if (equals == std::string::npos) return Wrong("has a parameter without a value");
    const std::optional<std::string> value = Unescaped(std::string_view(pair).substr(equals + 1));
    if (!value) return Wrong("has a broken %-escape in its parameters");
    CDC_RETURN_IF_ERROR(ReadParameter(pair.substr(0, equals), *value, dsn));
  }
  return OkStatus();
}

}  // namespace

std::string MysqlDsn::Where() const {
  return socket.empty() ? Format("{}:{}/{}", host, port, database)
                        : Format("{} {}", socket, database);
}

Result<MysqlDsn> ParseMysqlDsn(const std::string& text) {
  if (text.empty()) return Wrong("is empty");
  MysqlDsn dsn;
  // A password may hold any sign, '/' and '@' as well: what counts are the last ones.
  const size_t slash = text.rfind('/');
  if (slash == std::string::npos) return Wrong("lacks the slash before the name of the database");
  const std::string before = text.substr(0, slash);
  std::string database = text.substr(slash + 1);
  const size_t question = database.find('?');
  if (question != std::string::npos) {
    CDC_RETURN_IF_ERROR(ReadParameters(database.substr(question + 1), &dsn));
    database.resize(question);
  }
  const std::optional<std::string> name = Unescaped(database);
  if (!name || name->empty()) return Wrong("names no database");
  dsn.database = *name;

  const size_t at = before.rfind('@');
  if (at != std::string::npos) {
    const std::string who = before.substr(0, at);
    const size_t colon = who.find(':');
    dsn.user = who.substr(0, colon);
    if (colon != std::string::npos) dsn.password = who.substr(colon + 1);
  }
  const std::string where = at == std::string::npos ? before : before.substr(at + 1);
  if (where.empty()) return dsn;
  const size_t open = where.find('(');
  if (open == std::string::npos) {
    CDC_RETURN_IF_ERROR(ReadAddress(where, "", &dsn));
    return dsn;
  }
  if (where.back() != ')') return Wrong("has an address without its closing parenthesis");
  CDC_RETURN_IF_ERROR(
      ReadAddress(where.substr(0, open), where.substr(open + 1, where.size() - open - 2), &dsn));
  return dsn;
}

}  // namespace cdc
