// Text for a terminal: aligned columns, cut to its width. Pure functions and plain values.
//
// Widths are columns of a terminal: a wide character takes two, a combining one none. Text is
// UTF-8; bytes that are none and control characters are shown as '?', line breaks as blanks, so
// that nothing that a server or a name holds reaches the terminal as a command.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace cdc {

// `text` on one line, without control characters.
std::string Printable(std::string_view text);
// The same, with an ellipsis for its end where it is wider than `columns` (at least 1).
std::string Cut(std::string_view text, int columns);

struct TableColumn {
  std::string title;
  bool right = false;  // aligned to the right, as numbers are
  bool whole = false;  // never cut: it is to be copied
};

class Table {
 public:
  explicit Table(std::vector<TableColumn> columns);

  // One cell for each column.
  void Add(std::vector<std::string> cells);
  // The titles and the rows, each line ended. Where that is wider than `width`, the widest columns
  // are cut, none to less than its title and eight columns; 0: no limit.
  std::string Text(int width) const;

 private:
  std::vector<TableColumn> columns_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace cdc
