// Is an answer one that openapi.json declares? For tests.
#pragma once

#include <string>

#include "server/http_server.h"

namespace cdc {

// What is wrong with the answer to this request; empty: it is declared, and its body has the
// declared form. Paths and methods that are not declared must be answered 404 and 405.
std::string CheckDeclared(const HttpRequest& request, const HttpResponse& response);

}  // namespace cdc
