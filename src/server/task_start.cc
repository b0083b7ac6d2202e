#include "server/task_start.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/format.h"

namespace cdc {
namespace {

using Kind = LogPosition::Kind;
using Wish = ResolvedStart::Wish;

constexpr char kAfterPosition[] =
    "What the log has lost in between cannot be replicated: copy the collection anew, from a "
    "backup say, and begin at the positions of that copy";
constexpr char kAfterCreation[] =
    "Its oldest rows cannot be replicated: leave use_start_position out and bring them in another "
    "way, from a backup with positions say";
constexpr char kAfterOperations[] =
    "Leave rpc_channel_info.position out to begin with the operations from now on";

// Refuses a message that the log does not reach. `whose` begins there.
Status CheckNotBehind(const std::string& channel, const LogPosition& place, const SourceNow& source,
                      const std::string& whose) {
  const auto end = source.ends.find(channel);
  const bool nothing = end == source.ends.end() || end->second.kind == Kind::kEarliest;
  if (!nothing && place.id <= end->second.id) return OkStatus();
  return FatalError(
      Format("{} begins at message {} of channel {}, and the log {}: is it a position of this "
             "source, and was its log made anew since?",
             whose, ToString(place.id), channel,
             nothing ? "holds none" : "ends at " + ToString(end->second.id)),
      ErrorKind::kPositionGone);
}

// Chooses the points of one collection after the other.
class Resolver {
 public:
  Resolver(const TaskSpec& spec, const PlannedSource& plan, const SourceNow& source)
      : spec_(spec), plan_(plan), source_(source), used_(spec.start_request.positions.size()) {}

  Result<ResolvedStart> Run() {
    for (size_t i = 0; i < plan_.collections.size(); ++i) {
      const std::string& database = plan_.collections[i].source_db;
      CDC_RETURN_IF_ERROR(AddCollection(database, *plan_.sources[i]));
    }
    CDC_RETURN_IF_ERROR(CheckAllUsed());
    for (const std::string& channel : plan_.channels) AddChannel(channel);
    if (out_.start.collections.empty()) out_.start = {};
    CDC_RETURN_IF_ERROR(AddOperations());
    return std::move(out_);
  }

 private:
  using Points = std::map<std::string, StartPoint>;  // by pchannel

  static std::string NameOf(const std::string& database, const SourceCollection& collection) {
    return "collection " + database + "." + collection.name;
  }

  Status AddCollection(const std::string& database, const SourceCollection& collection) {
    CDC_ASSIGN_OR_RETURN(Points points, GivenPoints(database, collection));
    const bool given = !points.empty();
    const auto& from_creation = spec_.start_request.from_creation;
    const bool whole =
        std::any_of(from_creation.begin(), from_creation.end(), [&](const NamePattern& of) {
          return MatchPattern(of.database, database) &&
                 MatchPattern(of.collection, collection.name);
        });
    if (!given && whole) {
      CDC_ASSIGN_OR_RETURN(points, CreationPoints(database, collection));
    }
    if (points.empty()) return OkStatus();
    // Who gives a position has the rows before it on the target.
    if (given || spec_.adopt) out_.start.adopted.insert(collection.id);
    out_.start.collections[collection.id] = std::move(points);
    return OkStatus();
  }

  // A position by vchannel goes before one by pchannel, one for a name before one for a pattern.
  Result<Points> GivenPoints(const std::string& database, const SourceCollection& collection) {
    Points points;
    std::map<std::string, int> ranks;
    const auto& positions = spec_.start_request.positions;
    for (size_t i = 0; i < positions.size(); ++i) {
      const StartRequest::Position& given = positions[i];
      if (!MatchPattern(given.of.database, database) ||
          !MatchPattern(given.of.collection, collection.name)) {
        continue;
      }
      for (size_t shard = 0; shard < collection.vchannels.size(); ++shard) {
        const std::string& channel = collection.pchannels[shard];
        const bool by_vchannel = given.channel == collection.vchannels[shard];
        if (!by_vchannel && given.channel != channel) continue;
        used_[i] = true;
        const int rank = (by_vchannel ? 2 : 0) + (given.of.exact() ? 1 : 0) + 1;
        int& best = ranks[channel];
        if (rank < best) continue;
        CDC_ASSIGN_OR_RETURN(const StartPoint point, PointOf(given));
        if (rank == best && points[channel] != point) {
          return InvalidError(Format("{} has two positions for channel {}; leave one of them out",
                                     NameOf(database, collection), channel));
        }
        best = rank;
        points[channel] = point;
      }
    }
    for (size_t shard = 0; !points.empty() && shard < collection.vchannels.size(); ++shard) {
      if (points.contains(collection.pchannels[shard])) continue;
      return InvalidError(
          Format("{} has a position for some of its channels and none for {}: give one for each",
                 NameOf(database, collection), collection.vchannels[shard]));
    }
    for (const auto& [channel, point] : points) {
      Wish wish{point.from, point.after_ts, NameOf(database, collection), kAfterPosition};
      if (point.from.kind == Kind::kAt) {
        CDC_RETURN_IF_ERROR(CheckNotBehind(channel, point.from, source_, wish.whose));
        wish.after = 0;
      }
      out_.wishes.emplace(channel, std::move(wish));
    }
    return points;
  }

  Result<StartPoint> PointOf(const StartRequest::Position& given) const {
    StartPoint point{{}, given.after_ts};
    if (given.message_id.empty()) return point;
    const Result<LogId> id = source_.decode(given.message_id);
    if (!id.ok()) {
      return InvalidError(
          Format("the position of channel {} holds no message id of the source's log, as "
                 "sourceConfig names it: {}",
                 given.channel, id.error().message));
    }
    point.from = {Kind::kAt, *id};
    return point;
  }

  Result<Points> CreationPoints(const std::string& database, const SourceCollection& collection) {
    Points points;
    const std::string whose = NameOf(database, collection);
    for (const std::string& channel : collection.pchannels) {
      const auto bytes = collection.start_positions.find(channel);
      Result<LogId> id = CorruptError("there is none");
      if (bytes != collection.start_positions.end()) id = source_.decode(bytes->second);
      if (!id.ok()) {
        return InvalidError(
            Format("{} has no start position for channel {} in etcd ({}): leave "
                   "use_start_position out",
                   whose, channel, id.error().message));
      }
      const LogPosition from{Kind::kAt, *id};
      CDC_RETURN_IF_ERROR(CheckNotBehind(channel, from, source_, whose));
      points[channel] = {from, 0};
      out_.wishes.emplace(channel, Wish{from, 0, whose, kAfterCreation});
    }
    return points;
  }

  Status CheckAllUsed() const {
    for (size_t i = 0; i < used_.size(); ++i) {
      if (used_[i]) continue;
      const StartRequest::Position& given = spec_.start_request.positions[i];
      std::string known;
      for (size_t c = 0; c < plan_.collections.size(); ++c) {
        if (!MatchPattern(given.of.database, plan_.collections[c].source_db) ||
            !MatchPattern(given.of.collection, plan_.collections[c].source_collection)) {
          continue;
        }
        for (const std::string& channel : plan_.sources[c]->vchannels) {
          if (known.size() < 300) known += (known.empty() ? "" : ", ") + channel;
        }
      }
      return InvalidError(Format(
          "channel {} has a position, and nothing that the task replicates of {}.{} is "
          "written to it; those channels are: {}",
          given.channel, given.of.database, given.of.collection, known.empty() ? "none" : known));
    }
    return OkStatus();
  }

  void AddChannel(const std::string& channel) {
    const auto end = source_.ends.find(channel);
    LogPosition& from = out_.channels[channel];
    if (end != source_.ends.end()) from = out_.start.others[channel] = end->second;
    for (const auto& [id, points] : out_.start.collections) {
      const auto point = points.find(channel);
      if (point != points.end()) from = Earlier(from, point->second.from);
    }
    out_.start.made_ts = source_.now;
  }

  Status AddOperations() {
    const std::string& topic = source_.operation_topic;
    const auto end = source_.ends.find(topic);
    if (end != source_.ends.end()) out_.operations = end->second;
    const auto& given = spec_.start_request.operations;
    if (!given) return OkStatus();
    out_.operations = {};
    if (given->empty()) return OkStatus();
    const Result<LogId> id = source_.decode(*given);
    if (!id.ok()) {
      return InvalidError(
          Format("the position in rpc_channel_info holds no message id of the source's log, as "
                 "sourceConfig names it: {}",
                 id.error().message));
    }
    out_.operations = {Kind::kAfter, *id};
    CDC_RETURN_IF_ERROR(
        CheckNotBehind(topic, out_.operations, source_, "the reading of operations"));
    out_.wishes.emplace(topic,
                        Wish{out_.operations, 0, "the reading of operations", kAfterOperations});
    return OkStatus();
  }

  const TaskSpec& spec_;
  const PlannedSource& plan_;
  const SourceNow& source_;
  std::vector<bool> used_;  // of the given positions
  ResolvedStart out_;
};

Error Gone(const Wish& wish, const std::string& why) {
  return FatalError(Format("{} cannot begin there: {}. {}", wish.whose, why, wish.advice),
                    ErrorKind::kPositionGone);
}

// By message: the log is read from the lowest of a channel, so what holds that holds all.
Status CheckMessages(const std::map<std::string, const Wish*>& lowest, const LogQuestions& log) {
  if (lowest.empty()) return OkStatus();
  std::map<std::string, LogPosition> places;
  for (const auto& [channel, wish] : lowest) places[channel] = wish->from;
  const auto all = log.held(places);
  if (all.ok()) return OkStatus();
  if (all.error().kind != ErrorKind::kPositionGone) return all.error();
  for (const auto& [channel, wish] : lowest) {  // whose is it?
    const auto one = log.held({{channel, wish->from}});
    if (!one.ok()) return Gone(*wish, one.error().message);
  }
  return all.error();
}

// By time: the log must reach back to before it.
Status CheckTimes(const std::map<std::string, const Wish*>& lowest, const LogQuestions& log) {
  if (lowest.empty()) return OkStatus();
  std::set<std::string> channels;
  for (const auto& [channel, wish] : lowest) channels.insert(channel);
  CDC_ASSIGN_OR_RETURN(const auto oldest, log.oldest(channels));
  for (const auto& [channel, wish] : lowest) {
    const auto first = oldest.find(channel);
    if (first == oldest.end() || first->second <= wish->after) continue;
    return Gone(*wish, Format("the log of channel {} begins at {} ms, after the wanted {} ms",
                              channel, PhysicalMillis(first->second), PhysicalMillis(wish->after)));
  }
  return OkStatus();
}

}  // namespace

Result<ResolvedStart> ResolveStart(const TaskSpec& spec, const PlannedSource& plan,
                                   const SourceNow& source) {
  return Resolver(spec, plan, source).Run();
}

Status CheckHeld(const ResolvedStart& resolved, const LogQuestions& log) {
  std::map<std::string, const Wish*> messages;
  std::map<std::string, const Wish*> times;
  for (const auto& [channel, wish] : resolved.wishes) {
    if (wish.from.kind == Kind::kEarliest) {
      const Wish*& lowest = times[channel];
      if (lowest == nullptr || wish.after < lowest->after) lowest = &wish;
    } else {
      const Wish*& lowest = messages[channel];
      if (lowest == nullptr || wish.from.id < lowest->from.id) lowest = &wish;
    }
  }
  CDC_RETURN_IF_ERROR(CheckMessages(messages, log));
  return CheckTimes(times, log);
}

}  // namespace cdc
