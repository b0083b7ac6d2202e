#include "source/catalog_list.h"

#include <memory>
#include <utility>

#include "base/format.h"
#include "base/log.h"
#include "source/catalog_keys.h"
#include "source/catalog_state.h"

namespace cdc {
namespace {

constexpr int64_t kPageSize = 2000;
constexpr int kMaxDepth = 3;
constexpr int kMaxReads = 300;

// Visits the names directly under `path` ("" or ending in '/') by leaping from each to the next.
Status Search(EtcdClient* etcd, const std::string& path, int depth, int* reads,
              std::vector<std::string>* found) {
  EtcdReadOptions first_key;
  first_key.limit = 1;
  first_key.keys_only = true;
  EtcdInterval rest = EtcdInterval::Prefix(path);
  while (++*reads <= kMaxReads) {
    CDC_ASSIGN_OR_RETURN(const EtcdPage page, etcd->Range(rest, first_key));
    if (page.kvs.empty()) break;
    const std::string& key = page.kvs.front().key;
    const size_t slash = key.find('/', path.size());
    if (slash == std::string::npos) {  // a key without anything under it
      rest.begin = key + '\0';
      continue;
    }
    const std::string child = key.substr(0, slash + 1);
    CDC_ASSIGN_OR_RETURN(
        const EtcdPage metadata,
        etcd->Range(EtcdInterval::Prefix(child + "root-coord/database/"), first_key));
    if (!metadata.kvs.empty()) {
      found->push_back(child.substr(0, slash));
    } else if (depth < kMaxDepth) {
      CDC_RETURN_IF_ERROR(Search(etcd, child, depth + 1, reads, found));
    }
    rest.begin = key.substr(0, slash) + '0';  // '0' sorts right behind '/'
  }
  return {};
}

std::string Explain(const std::vector<std::string>& paths, const std::string& meta_sub_path) {
  if (paths.empty()) {
    return "found none anywhere: is this the etcd of the source, and does Milvus keep its metadata "
           "in etcd (metastore.type: etcd)?";
  }
  std::string text = "found: ";
  for (const std::string& path : paths) {
    if (&path != &paths.front()) text += ", ";
    const std::string suffix = "/" + meta_sub_path;
    if (path.ends_with(suffix)) {
      text += path.substr(0, path.size() - suffix.size());
      continue;
    }
    const size_t slash = path.rfind('/');
    text += slash == std::string::npos
                ? path + " (with an empty meta sub path)"
                : path.substr(0, slash) + " (with meta sub path " + path.substr(slash + 1) + ")";
  }
  return text + "; set the source's etcd root path to one of them";
}

}  // namespace

Result<std::vector<std::string>> FindCatalogPaths(EtcdClient* etcd) {
  std::vector<std::string> found;
  int reads = 0;
  CDC_RETURN_IF_ERROR(Search(etcd, "", 1, &reads, &found));
  return found;
}

Result<CatalogUpdate> ListCatalog(const EtcdConfig& config, const std::string& root_path,
                                  const std::string& meta_sub_path) {
  CDC_ASSIGN_OR_RETURN(const std::unique_ptr<EtcdClient> etcd, EtcdClient::Open(config));
  const CatalogKeys keys(root_path, meta_sub_path);
  CDC_ASSIGN_OR_RETURN(const EtcdPage page, etcd->RangeAll(keys.Everything(), kPageSize));
  CatalogState state(keys);
  for (const EtcdKeyValue& kv : page.kvs) state.Put(kv.key, kv.value, kv.mod_revision);
  if (state.empty()) {
    CDC_ASSIGN_OR_RETURN(const std::vector<std::string> paths, FindCatalogPaths(etcd.get()));
    return FatalError(Format("no Milvus metadata under '{}' in etcd {}; {}", keys.prefix(),
                             etcd->endpoints(), Explain(paths, meta_sub_path)),
                      ErrorKind::kNotFound);
  }
  for (const std::string& problem : state.TakeProblems()) LogError("catalog: {}", problem);
  CatalogUpdate update = state.TakeAll(page.revision, nullptr);
  update.cluster_id = page.cluster_id;
  return update;
}

}  // namespace cdc
