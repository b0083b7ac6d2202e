// What a target of a certain version cannot hold. Pure function; any thread.
//
// Milvus ignores what it does not know of a schema: a nullable field sent to 2.3 becomes one that
// holds zeros, and a function is forgotten together with the vectors that it would have made. So
// this is asked before a collection is created.
#pragma once

#include <string>

#include "model/schema.h"

namespace cdc {

// `version` is what GetVersion answers. Empty: nothing is known to be missing (also when the
// version cannot be read, and for milvus-lite, which refuses by itself what it cannot hold).
std::string MissingFeature(const CollectionSchema& schema, const std::string& version);

}  // namespace cdc
