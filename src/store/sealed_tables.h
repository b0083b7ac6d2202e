// StoreTables whose secrets are encrypted in the tables below: the tokens of targets. Private to
// store/ and to whoever opens a store.
#pragma once

#include <memory>

#include "store/secret_box.h"
#include "store/store_tables.h"

namespace cdc {

// With a box, what is stored from now on is sealed, and tokens that are there in clear are sealed
// at once. Without one, secrets are kept in clear, and a sealed one is an error that names the
// setting. kInvalid when a stored secret cannot be read with this key.
Result<std::unique_ptr<StoreTables>> OpenSealedTables(std::unique_ptr<StoreTables> tables,
                                                      std::unique_ptr<SecretBox> box);

}  // namespace cdc
