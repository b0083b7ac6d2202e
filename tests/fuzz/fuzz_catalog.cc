// A history of etcd: a repeated field 1 {1: key, 2: value, 3: deleted}, read as a source's catalog.
#include "base/wire.h"
#include "fuzz_check.h"
#include "source/catalog_state.h"
#include "source/rbac_state.h"

namespace cdc::fuzz {
namespace {

struct Event {
  std::string_view key;
  std::string_view value;
  bool deleted = false;
};

std::vector<Event> Events(std::string_view bytes) {
  std::vector<Event> events;
  WireReader reader(bytes);
  while (reader.Next()) {
    Event event;
    WireReader fields(reader.bytes());
    while (fields.Next()) {
      if (fields.field() == 1) event.key = fields.bytes();
      if (fields.field() == 2) event.value = fields.bytes();
      if (fields.field() == 3) event.deleted = fields.number() != 0;
    }
    events.push_back(event);
  }
  return events;
}

void CheckUpdate(const CatalogUpdate& update) {
  for (const SourceCollectionPtr& collection : update.collections) {
    Require(collection != nullptr, "a published collection is there");
    Require(
        collection->state == ObjectState::kCreated || collection->state == ObjectState::kDropping,
        "only what is created or being dropped is published");
  }
}

// The same history, read for users, roles and grants.
void RunRbac(const std::vector<Event>& events) {
  RbacState state("by-dev/meta/");
  for (const Event& event : events) {
    (void)(event.deleted ? state.Delete(event.key) : state.Put(event.key, event.value));
    for (const std::string& problem : state.TakeProblems()) {
      Require(problem.size() <= event.key.size() + 200, "a problem does not quote the value");
    }
  }
  const RbacCatalog catalog = state.Catalog();
  for (const auto& [user, role] : catalog.bindings) {
    Require(catalog.users.contains(user), "a role is given to a user that is there");
  }
  for (const RbacGrant& grant : catalog.grants) {
    Require(catalog.roles.contains(grant.role) || IsBuiltInRole(grant.role),
            "a privilege is granted to a role that is there");
  }
}

void Run(const std::string& bytes) {
  const std::vector<Event> events = Events(bytes);
  RunRbac(events);
  const MemoryBudget budget(bytes.size());
  // A long prefix would charge its keys to the budget; the recorded ones have two.
  CatalogState watched(CatalogKeys("by-dev", "meta"));
  int64_t revision = 0;
  for (const Event& event : events) {
    ++revision;
    if (event.deleted) {
      watched.Delete(event.key, revision);
    } else {
      watched.Put(event.key, event.value, revision);
    }
    for (const std::string& problem : watched.TakeProblems()) {
      Require(problem.find(event.key) != std::string::npos, "a problem names its key");
      Require(problem.size() <= event.key.size() + 200, "a problem does not quote the value");
    }
    CheckUpdate(watched.TakeChanges(revision));
  }
  // A listing made of the same keys agrees with itself when it is taken twice.
  CatalogState listed(CatalogKeys("by-dev", "meta"));
  for (const Event& event : events) {
    if (!event.deleted) listed.Put(event.key, event.value, 1);
  }
  const CatalogUpdate first = listed.TakeAll(1, &watched);
  CheckUpdate(first);
  const CatalogUpdate second = listed.TakeAll(1, nullptr);
  Require(first.collections.size() == second.collections.size(), "a listing is what it is");
  (void)listed.Databases();
}

}  // namespace
}  // namespace cdc::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  cdc::fuzz::Run(std::string(reinterpret_cast<const char*>(data), size));
  return 0;
}
