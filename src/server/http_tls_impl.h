// What a listener needs of OpenSSL. Private to http_*.cc.
#pragma once

#include <boost/asio/ssl/context.hpp>
#include <memory>

#include "base/result.h"
#include "server/http_server.h"

namespace cdc {

// Null when no certificate is configured: plain TCP. Reads the files. Errors: kInvalid.
Result<std::unique_ptr<boost::asio::ssl::context>> MakeTlsContext(const HttpTls& tls);

}  // namespace cdc
