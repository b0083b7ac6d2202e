// The known word most like an unknown one, for "did you mean" in error messages. Pure.
#pragma once

#include <string>
#include <vector>

namespace cdc {

// Compares without regard to case. Empty when nothing known is close enough to be meant.
std::string NearestWord(const std::string& word, const std::vector<std::string>& known);
// "; did you mean 'x'?", or "; known here: a, b, c" when nothing is close.
std::string DidYouMean(const std::string& word, const std::vector<std::string>& known);
// ASCII lower case.
std::string LowerCase(std::string text);

}  // namespace cdc
