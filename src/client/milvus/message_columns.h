// Columns of the log as columns of a client's request. What differs (Milvus 2.5, its proxy):
//  - A nullable column is as long as the message has rows in the log, with something in the place
//    of each null; in a request it holds only the values that are there.
//  - A request says of each row of a field with a default value whether it has a value; in the log
//    the proxy has filled the defaults in, and says nothing unless the field is nullable as well.
//  - Proxies find the dynamic column by its flag, which a log of Milvus 2.2 may lack.
//
// Pure functions; any thread. A column without nulls is passed on as slices, never copied.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/wire.h"
#include "model/target.h"

namespace cdc {

// `column` is one serialized FieldData within `payload`, of a message of `rows` rows. One that
// cannot be understood passes as it is: the target says what is wrong with it.
Slices RequestColumn(const Slice& payload, std::string_view column, uint64_t rows,
                     const TargetAddressOfRows& to);

}  // namespace cdc
