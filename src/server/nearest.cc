#include "server/nearest.h"

#include <algorithm>
#include <numeric>

namespace cdc {
namespace {

constexpr size_t kLongestWord = 64;  // longer ones are no typing mistake

// Number of single-character changes (swapping neighbours counts as one) from a to b.
size_t EditDistance(const std::string& a, const std::string& b) {
  std::vector<size_t> before(b.size() + 1), last(b.size() + 1), row(b.size() + 1);
  std::iota(last.begin(), last.end(), 0);
  for (size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

}  // namespace

std::string LowerCase(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

std::string NearestWord(const std::string& word, const std::vector<std::string>& known) {
  if (word.size() > kLongestWord) return "";
  const std::string lower = LowerCase(word);
  std::string best;
  size_t best_distance = (word.size() + 2) / 3 + 1;
  for (const std::string& candidate : known) {
    const size_t distance = EditDistance(lower, LowerCase(candidate));
    if (distance < best_distance) {
      best = candidate;
      best_distance = distance;
    }
  }
  if (!best.empty() || word.size() < 3) return best;
  // Cut short or drawn out: "user" for "username".
  for (const std::string& candidate : known) {
    if (candidate.size() < 3) continue;
    const std::string other = LowerCase(candidate);
    if (other.rfind(lower, 0) == 0 || lower.rfind(other, 0) == 0) return candidate;
  }
  return best;
}

std::string DidYouMean(const std::string& word, const std::vector<std::string>& known) {
  const std::string nearest = NearestWord(word, known);
  if (!nearest.empty()) return "; did you mean '" + nearest + "'?";
  if (known.empty()) return "";
  std::string text = "; known here: ";
  for (size_t i = 0; i < known.size(); ++i) text += (i == 0 ? "" : ", ") + known[i];
  return text;
}

}  // namespace cdc
