// libFuzzer's mutator for protobuf bytes: changes one field of the tree, wherever it is nested, and
// puts the lengths around it right, so that a change deep inside is not refused at the first byte.
// One change in four is a plain one of libFuzzer, and some lengths are made wrong on purpose.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/wire.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace cdc::fuzz {
namespace {

constexpr int kMaxDepth = 7;

struct Node {
  uint32_t field = 1;
  WireType type = WireType::kVarint;
  uint64_t number = 0;
  std::string bytes;           // of a leaf
  std::vector<Node> children;  // of a bytes field that reads as a message
  int64_t length_error = 0;    // added to the length that is written
};
using Nodes = std::vector<Node>;

bool Parse(std::string_view bytes, int depth, Nodes* out) {
  WireReader reader(bytes);
  while (reader.Next()) {
    Node node;
    node.field = reader.field();
    node.type = reader.type();
    node.number = reader.number();
    const bool leaf = reader.type() != WireType::kBytes || reader.bytes().size() < 2 ||
                      depth == kMaxDepth || !Parse(reader.bytes(), depth + 1, &node.children);
    if (leaf) {
      node.children.clear();
      node.bytes = reader.bytes();
    }
    out->push_back(std::move(node));
  }
  return reader.ok();
}

void AppendFixed(uint64_t value, int size, WireWriter* out) {
  for (int i = 0; i < size; ++i) {
    const char byte = static_cast<char>(value >> (8 * i));
    out->Raw({&byte, 1});
  }
}

std::string Serialize(const Nodes& nodes) {
  WireWriter out;
  for (const Node& node : nodes) {
    switch (node.type) {
      case WireType::kVarint:
        out.Varint(node.field, node.number);
        break;
      case WireType::kBytes: {
        const std::string content = node.children.empty() ? node.bytes : Serialize(node.children);
        out.BytesHeader(node.field, content.size() + static_cast<size_t>(node.length_error));
        out.Raw(content);
        break;
      }
      case WireType::kFixed64:
      case WireType::kFixed32:
        out.Tag(node.field, node.type);
        AppendFixed(node.number, node.type == WireType::kFixed64 ? 8 : 4, &out);
        break;
    }
  }
  return out.Take();
}

size_t Count(const Nodes& nodes) {
  size_t count = nodes.size();
  for (const Node& node : nodes) count += Count(node.children);
  return count;
}

// The list that holds the `index`-th node, depth first, and its place in there.
Nodes* Find(Nodes* nodes, size_t* index, size_t* place) {
  for (size_t i = 0; i < nodes->size(); ++i) {
    if ((*index)-- == 0) {
      *place = i;
      return nodes;
    }
    if (Nodes* found = Find(&(*nodes)[i].children, index, place)) return found;
  }
  return nullptr;
}

class Mutator {
 public:
  explicit Mutator(unsigned seed) : random_(seed) {}

  void Mutate(Nodes* root) {
    size_t index = Below(Count(*root));
    size_t place = 0;
    Nodes* list = Find(root, &index, &place);
    const auto at = list->begin() + static_cast<ptrdiff_t>(place);
    switch (Below(9)) {
      case 0:
        list->erase(at);
        break;
      case 1: {
        const Node copy = *at;
        list->insert(list->begin() + static_cast<ptrdiff_t>(Below(list->size() + 1)), copy);
        break;
      }
      case 2:
        std::swap(*at, (*list)[Below(list->size())]);
        break;
      case 3:
        at->field = static_cast<uint32_t>(Below(4) == 0 ? 1 + Below(1U << 20) : 1 + Below(16));
        break;
      case 4:
        ChangeType(&*at);
        break;
      case 5:
        at->length_error = Length();
        break;
      default:
        ChangeContent(&*at);
    }
  }

 private:
  size_t Below(size_t bound) { return random_() % bound; }

  uint64_t Number(uint64_t old) {
    static constexpr uint64_t kEdges[] = {
        0,          1,     127, 128, 16383, 16384, 1U << 31, 0xffffffff, 1ULL << 32,
        1ULL << 63, ~0ULL, 100, 101, 201,   400,   401,      402,        1200};
    switch (Below(4)) {
      case 0:
        return old + 1;
      case 1:
        return old - 1;
      case 2:
        return old ^ (1ULL << Below(64));
      default:
        return kEdges[Below(std::size(kEdges))];
    }
  }

  int64_t Length() {
    static constexpr int64_t kErrors[] = {1, -1, 2, 127, 1 << 20, 0x7fffffff, 0x7fffffffffffff};
    return kErrors[Below(std::size(kErrors))];
  }

  void ChangeType(Node* node) {
    static constexpr WireType kTypes[] = {WireType::kVarint, WireType::kFixed64, WireType::kBytes,
                                          WireType::kFixed32};
    node->type = kTypes[Below(4)];
  }

  void ChangeContent(Node* node) {
    if (node->type != WireType::kBytes) {
      node->number = Number(node->number);
      return;
    }
    std::string content = node->children.empty() ? node->bytes : Serialize(node->children);
    const size_t size = content.size();
    content.resize(size + 16);
    content.resize(
        LLVMFuzzerMutate(reinterpret_cast<uint8_t*>(content.data()), size, content.size()));
    node->children.clear();
    node->bytes = std::move(content);
  }

  std::minstd_rand random_;
};

}  // namespace
}  // namespace cdc::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned int seed) {
  using namespace cdc::fuzz;  // NOLINT: a C function
  Nodes nodes;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  if (seed % 4 == 0 || !Parse(bytes, 0, &nodes) || nodes.empty()) {
    return LLVMFuzzerMutate(data, size, max_size);
  }
  Mutator(seed).Mutate(&nodes);
  const std::string mutated = Serialize(nodes);
  if (mutated.size() > max_size) return LLVMFuzzerMutate(data, size, max_size);
  std::memcpy(data, mutated.data(), mutated.size());
  return mutated.size();
}
