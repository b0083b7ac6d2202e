// Rows of several source messages in one Insert or Upsert request, or in one message of the log,
// columns joined without decoding; column bytes are shared, not copied. Field numbers: Milvus'
// schema.proto and msg.proto. Plain value; the changes and the address outlive it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/wire.h"
#include "model/change.h"
#include "model/target.h"

namespace cdc {

enum class RowsCall { kInsert, kUpsert };
enum class RowsForm { kRequest, kLog };  // of columns: see message_columns.h

class MergedRows {
 public:
  explicit MergedRows(const TargetAddressOfRows* to, RowsForm form = RowsForm::kRequest)
      : to_(to), form_(form) {}

  // Adds the rows of Inserts for this collection and partition, all or none; a single one is always
  // taken first. False: the columns do not line up with those before (another set of columns, of
  // types or of dimensions, unknown encodings). Where only some say which rows are null, the others
  // have none. In the form of the log also: fields that JoinInserts does not know of.
  bool Add(std::span<const Change* const> changes);
  // One change passes as it is. In the form of requests.
  Slices Request(RowsCall call) const;
  // The FieldData of each column.
  std::vector<Slices> Columns() const;

  uint64_t rows() const { return rows_; }
  size_t bytes() const { return bytes_; }  // of the messages

 private:
  // How the values of a column are written, and how many pieces there are.
  struct Extent {
    uint64_t dim = 0;         // of sparse vectors the largest
    uint64_t sparse_dim = 0;  // the same, as their array says it
    uint32_t outer = 0;       // which kind of values; 0: none
    uint32_t inner = 0;       // which kind of array
    size_t values = 0;
    size_t valid = 0;
    size_t changes = 0;
    uint64_t rows = 0;
    uint64_t valid_rows = 0;  // of which `valid` tells; 0: no change has told
  };
  // One column: its description and the pieces of its values, in row order.
  struct Column {
    uint64_t type = 0;
    std::string name;
    uint64_t field_id = 0;
    bool dynamic = false;
    std::vector<Slice> values;
    std::vector<Slice> valid;
    Extent now;
    Extent kept;  // without the changes being added
  };
  // The same of one change.
  struct Part {
    uint64_t type = 0;
    std::string_view name;
    uint64_t field_id = 0;
    bool dynamic = false;
    uint64_t dim = 0;
    uint64_t sparse_dim = 0;
    uint32_t outer = 0;
    uint32_t inner = 0;
    std::vector<std::string_view> values;
    std::vector<std::string_view> valid;
    uint64_t valid_rows = 0;
  };

  void Undo(size_t changes);
  bool AddColumns(const Change& change);
  bool AddColumn(const Slice& bytes, size_t expected, uint64_t rows);
  bool Read(std::string_view bytes);
  bool ReadValues(uint32_t outer, std::string_view bytes);
  bool ReadSparse(std::string_view bytes);
  Column* Find(size_t expected);
  static Slices Encode(const Column& column);

  const TargetAddressOfRows* to_;
  RowsForm form_;
  const Change* first_ = nullptr;
  bool joinable_ = true;  // false: the first change is to travel alone
  size_t changes_ = 0;
  uint64_t rows_ = 0;
  size_t bytes_ = 0;
  uint64_t version_ = 0;  // of messages
  std::vector<Column> columns_;
  Part part_;  // being read
};

}  // namespace cdc
