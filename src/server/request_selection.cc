// Which collections a task copies, under which names, and from where on: collection_infos,
// db_collections, exclude_collections and name_mapping.
#include <algorithm>
#include <set>

#include "base/format.h"
#include "model/ids.h"
#include "server/position_text.h"
#include "server/request_create.h"

namespace cdc {
namespace {

bool IsDigits(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string::npos;
}

// "<pchannel>_<collection id>v<shard>"; returns the collection id, empty if it is none.
std::string CollectionOfVchannel(const std::string& channel) {
  const size_t v = channel.rfind('v');
  const size_t bar = channel.rfind('_');
  if (v == std::string::npos || bar == std::string::npos || bar == 0 || bar > v) return "";
  const std::string id = channel.substr(bar + 1, v - bar - 1);
  return IsDigits(id) && IsDigits(channel.substr(v + 1)) ? id : "";
}

std::string PchannelOf(const std::string& channel) {
  return CollectionOfVchannel(channel).empty() ? channel : channel.substr(0, channel.rfind('_'));
}

bool MayBeChannel(const std::string& name) {
  return !name.empty() && std::none_of(name.begin(), name.end(), [](char c) {
    return c == '/' || static_cast<unsigned char>(c) <= ' ';
  });
}

Status CheckPositionChannels(const CollectionFields& info) {
  const bool one = info.name.find('*') == std::string::npos;
  std::string collection;
  for (const auto& [channel, position] : info.positions) {
    const std::string id = CollectionOfVchannel(channel);
    if (id.empty() && !MayBeChannel(channel)) {
      return InvalidError("the position channel name is not virtual channel, " + channel);
    }
    if (one && !id.empty() && !collection.empty() && id != collection) {
      return InvalidError("the channel position info should be in the same collection");
    }
    if (!id.empty()) collection = id;
  }
  return OkStatus();
}

Status AddPositions(const NamePattern& of, const CollectionFields& info, StartRequest* start) {
  CDC_RETURN_IF_ERROR(CheckPositionChannels(info));
  for (const auto& [channel, text] : info.positions) {
    Result<PositionText> position = DecodePosition(text);
    if (!position.ok()) {
      return CorruptError(Format("fail to decode the position data: that of channel {}: {}",
                                 channel, position.error().message));
    }
    // Named by its vchannel or its pchannel, as the one who wrote it knew it.
    const std::string& named = position->channel;
    if (!named.empty() && named != channel && named != PchannelOf(channel) &&
        PchannelOf(named) != channel) {
      return InvalidError(
          Format("the position of channel {} is one of another channel, {}", channel, named));
    }
    if (position->message_id.empty() && position->after == 0) {
      return InvalidError(
          Format("the position of channel {} names neither a message nor a time; leave it out to "
                 "begin with what is written from now on, or say use_start_position",
                 channel));
    }
    start->positions.push_back({of, channel, std::move(position->message_id), position->after});
  }
  return OkStatus();
}

// Names of a list of collections, as one message.
Status CheckNames(const std::vector<CollectionFields>& infos, int max_length) {
  bool empty = false;
  std::string too_long;
  for (const CollectionFields& info : infos) {
    empty = empty || info.name.empty();
    if (info.name.size() > static_cast<size_t>(max_length)) {
      too_long += (too_long.empty() ? "" : " ") + info.name;
    }
  }
  std::string message;
  if (empty) message += "there is a collection name that is empty. ";
  if (!too_long.empty()) {
    message += Format("there are some collection names whose length exceeds {} characters, [{}]",
                      max_length, too_long);
  }
  if (!message.empty()) return InvalidError(message);
  return OkStatus();
}

// A dot would make "db.collection" ambiguous, and Milvus allows none.
Status CheckCharacters(const char* what, const std::string& name) {
  for (const char c : name) {
    if (c == '.' || c == '/' || static_cast<unsigned char>(c) <= ' ') {
      return InvalidError(
          Format("the {} name '{}' holds a character that Milvus does not allow in "
                 "names",
                 what, name));
    }
  }
  return OkStatus();
}

Status AddCollections(const std::string& database, const std::vector<CollectionFields>& infos,
                      const RequestLimits& limits, Selection* selection, StartRequest* start) {
  CDC_RETURN_IF_ERROR(CheckNames(infos, limits.max_name_length));
  for (const CollectionFields& info : infos) {
    CDC_RETURN_IF_ERROR(CheckCharacters("collection", info.name));
    const NamePattern pattern{database, info.name};
    CDC_RETURN_IF_ERROR(AddPositions(pattern, info, start));
    if (info.use_start_position) start->from_creation.push_back(pattern);
    if (std::find(selection->includes.begin(), selection->includes.end(), pattern) !=
        selection->includes.end()) {
      return InvalidError(Format("the collection {}.{} is given twice", database, info.name));
    }
    selection->includes.push_back(pattern);
  }
  return OkStatus();
}

Status AddExcludes(const std::vector<std::string>& excludes, Selection* selection) {
  for (const std::string& text : excludes) {
    const size_t dot = text.find('.');
    if (dot == std::string::npos || dot == 0 || dot + 1 == text.size() ||
        text.find('.', dot + 1) != std::string::npos) {
      return InvalidError(
          Format("exclude_collections: '{}' is not 'db.collection', such as "
                 "'default.tmp_*'",
                 text));
    }
    selection->excludes.push_back({text.substr(0, dot), text.substr(dot + 1)});
  }
  for (const NamePattern& include : selection->includes) {
    for (const NamePattern& exclude : selection->excludes) {
      if (MatchPattern(exclude.database, include.database) &&
          MatchPattern(exclude.collection, include.collection)) {
        return InvalidError(
            Format("exclude_collections: '{}.{}' excludes all of the selected "
                   "'{}.{}'",
                   exclude.database, exclude.collection, include.database, include.collection));
      }
    }
  }
  return OkStatus();
}

Status CheckMapping(const NameMapping& mapping, const Selection& selection) {
  if (mapping.source_db.empty() || mapping.target_db.empty()) {
    return InvalidError("name_mapping: source_db and target_db must both be given");
  }
  for (const std::string* name : {&mapping.source_db, &mapping.target_db}) {
    CDC_RETURN_IF_ERROR(CheckCharacters("database", *name));
    if (name->find('*') != std::string::npos) {
      return InvalidError(Format("name_mapping: '{}' must be a name without '*'", *name));
    }
  }
  const auto selected = [&](const std::string& collection) {
    if (!collection.empty()) return selection.Matches(mapping.source_db, collection);
    return std::any_of(
        selection.includes.begin(), selection.includes.end(),
        [&](const NamePattern& p) { return MatchPattern(p.database, mapping.source_db); });
  };
  bool good = !mapping.collections.empty() || selected("");
  for (const auto& [source, target] : mapping.collections) {
    if (source == "*" && target == "*") {
      good = selected("");
      continue;
    }
    CDC_RETURN_IF_ERROR(CheckCharacters("collection", source));
    CDC_RETURN_IF_ERROR(CheckCharacters("collection", target));
    if (source.empty() || target.empty() || (source + target).find('*') != std::string::npos) {
      return InvalidError(
          Format("name_mapping: '{}' to '{}' must be two names without '*'", source, target));
    }
    good = selected(source);
    if (!good) break;
  }
  if (!good) {
    return InvalidError(
        "the collection name in the name mapping is not in the collection info, "
        "checkout it");
  }
  return OkStatus();
}

Status AddMappings(const std::vector<NameMapping>& mappings, Selection* selection) {
  std::set<TargetName> sources, targets;
  for (const NameMapping& mapping : mappings) {
    CDC_RETURN_IF_ERROR(CheckMapping(mapping, *selection));
    std::map<std::string, std::string> pairs = mapping.collections;
    if (pairs.empty()) pairs["*"] = "*";
    for (const auto& [source, target] : pairs) {
      if (!sources.insert({mapping.source_db, source}).second) {
        return InvalidError(
            Format("name_mapping: {}.{} is mapped twice", mapping.source_db, source));
      }
      // Whole databases may be joined in one; two collections may not.
      if (source != "*" && !targets.insert({mapping.target_db, target}).second) {
        return InvalidError(
            Format("name_mapping: two collections are mapped to {}.{}", mapping.target_db, target));
      }
    }
    selection->mappings.push_back(mapping);
  }
  // An exact name that keeps its name must not meet a mapped one.
  for (const NamePattern& include : selection->includes) {
    if (!include.exact()) continue;
    if (sources.contains({include.database, include.collection})) continue;
    const TargetName name = selection->Map(include.database, include.collection);
    if (targets.contains(name)) {
      return InvalidError(
          Format("name_mapping: {}.{} and another collection would both become {}.{}",
                 include.database, include.collection, name.database, name.collection));
    }
  }
  return OkStatus();
}

}  // namespace

Status ValidateSelection(const CreateFields& fields, const RequestLimits& limits,
                         Selection* selection, StartRequest* start) {
  if (fields.collection_infos.empty() && fields.db_collections.empty()) {
    return InvalidError("the collection info is empty");
  }
  CDC_RETURN_IF_ERROR(
      AddCollections(kDefaultDatabase, fields.collection_infos, limits, selection, start));
  for (const auto& [database, infos] : fields.db_collections) {
    if (database.size() > static_cast<size_t>(limits.max_name_length)) {
      return InvalidError(
          Format("the db name length exceeds {} characters, {}", limits.max_name_length, database));
    }
    if (database.empty()) return InvalidError("there is a db name that is empty");
    CDC_RETURN_IF_ERROR(CheckCharacters("database", database));
    if (infos.empty()) return InvalidError("empty collection info");
    CDC_RETURN_IF_ERROR(AddCollections(database, infos, limits, selection, start));
  }
  CDC_RETURN_IF_ERROR(AddExcludes(fields.exclude_collections, selection));
  return AddMappings(fields.name_mapping, selection);
}

}  // namespace cdc
