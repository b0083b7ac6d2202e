#include "cli/table.h"

#include <locale.h>
#include <wchar.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace cdc {
namespace {

constexpr int kGap = 2;        // blanks between columns
constexpr int kLeastCell = 8;  // no column is cut to less

// While it lives, this thread reads UTF-8, whatever the locale of the process.
class Utf8Scope {
 public:
  Utf8Scope() : utf8_(newlocale(LC_CTYPE_MASK, "C.UTF-8", nullptr)) {
    if (utf8_ != nullptr) before_ = uselocale(utf8_);
  }
  ~Utf8Scope() {
    if (utf8_ == nullptr) return;
    uselocale(before_);
    freelocale(utf8_);
  }
  Utf8Scope(const Utf8Scope&) = delete;
  Utf8Scope& operator=(const Utf8Scope&) = delete;

 private:
  locale_t utf8_;
  locale_t before_ = nullptr;
};

struct Glyph {
  std::string_view bytes;
  int width;
};

// Within a Utf8Scope. Views of `text` and of constants.
std::vector<Glyph> Glyphs(std::string_view text) {
  std::vector<Glyph> glyphs;
  mbstate_t state{};
  for (size_t at = 0; at < text.size();) {
    wchar_t character = 0;
    size_t length = mbrtowc(&character, text.data() + at, text.size() - at, &state);
    if (length == static_cast<size_t>(-1) || length == static_cast<size_t>(-2)) {
      state = mbstate_t{};
      glyphs.push_back({"?", 1});
      ++at;
      continue;
    }
    length = std::max<size_t>(length, 1);  // 0 stands for NUL
    const int width = wcwidth(character);
    const bool blank = character == L'\n' || character == L'\t' || character == L'\r';
    if (width < 0 || character == 0) {
      glyphs.push_back({blank ? " " : "?", 1});
    } else {
      glyphs.push_back({text.substr(at, length), width});
    }
    at += length;
  }
  return glyphs;
}

int WidthOf(const std::vector<Glyph>& glyphs) {
  return std::accumulate(glyphs.begin(), glyphs.end(), 0,
                         [](int sum, const Glyph& glyph) { return sum + glyph.width; });
}

// What fits `columns`, and its own width.
std::pair<std::string, int> Fitted(const std::vector<Glyph>& glyphs, int columns) {
  const bool cut = WidthOf(glyphs) > columns;
  const int room = cut ? columns - 1 : columns;
  std::string text;
  int width = 0;
  for (const Glyph& glyph : glyphs) {
    if (width + glyph.width > room) break;
    text += glyph.bytes;
    width += glyph.width;
  }
  if (cut) {
    text += "…";
    ++width;
  }
  return {text, width};
}

// Takes columns away from the widest that may be cut until all fit, or nothing is left to take.
void Shrink(const std::vector<TableColumn>& columns, const std::vector<int>& least, int width,
            std::vector<int>* widths) {
  const int gaps = kGap * (static_cast<int>(columns.size()) - 1);
  int total = std::accumulate(widths->begin(), widths->end(), gaps);
  while (total > width) {
    int widest = -1;
    for (size_t i = 0; i < columns.size(); ++i) {
      if (columns[i].whole || (*widths)[i] <= least[i]) continue;
      if (widest < 0 || (*widths)[i] > (*widths)[static_cast<size_t>(widest)]) {
        widest = static_cast<int>(i);
      }
    }
    if (widest < 0) return;
    --(*widths)[static_cast<size_t>(widest)];
    --total;
  }
}

}  // namespace

std::string Printable(std::string_view text) {
  const Utf8Scope utf8;
  std::string shown;
  for (const Glyph& glyph : Glyphs(text)) shown += glyph.bytes;
  return shown;
}

std::string Cut(std::string_view text, int columns) {
  const Utf8Scope utf8;
  return Fitted(Glyphs(text), std::max(columns, 1)).first;
}

Table::Table(std::vector<TableColumn> columns) : columns_(std::move(columns)) {}

void Table::Add(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

std::string Table::Text(int width) const {
  const Utf8Scope utf8;
  std::vector<std::vector<std::vector<Glyph>>> lines(1);
  for (const TableColumn& column : columns_) lines[0].push_back(Glyphs(column.title));
  for (const std::vector<std::string>& row : rows_) {
    std::vector<std::vector<Glyph>>& line = lines.emplace_back();
    for (const std::string& cell : row) line.push_back(Glyphs(cell));
  }
  std::vector<int> widths(columns_.size(), 0), least(columns_.size(), 0);
  for (size_t i = 0; i < columns_.size(); ++i) {
    for (const auto& line : lines) widths[i] = std::max(widths[i], WidthOf(line[i]));
    least[i] = std::max(WidthOf(lines[0][i]), kLeastCell);
  }
  if (width > 0) Shrink(columns_, least, width, &widths);
  std::string text;
  for (const auto& line : lines) {
    for (size_t i = 0; i < columns_.size(); ++i) {
      const auto [shown, taken] = Fitted(line[i], widths[i]);
      const std::string blanks(static_cast<size_t>(widths[i] - taken), ' ');
      if (i > 0) text += std::string(kGap, ' ');
      text += columns_[i].right ? blanks + shown : shown + blanks;
    }
    text.erase(text.find_last_not_of(' ') + 1);
    text += '\n';
  }
  return text;
}

}  // namespace cdc
