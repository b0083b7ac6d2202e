// ReadGovernor: who may read more, so that buffered bytes stay within a limit and nothing starves.
//
// A channel may read while (a) the total is below the limit, or (b) its own bytes are below the
// reserve, or (c) of all channels that others may wait for, it has the lowest resolved time, and
// all that it holds waits for its next tick: a merge or a barrier waits for the lowest, so it must
// never wait for memory that only its own reading can free. What was handed on is freed by others
// (the target, a create), so with that outstanding the lowest waits too: else a target that is down
// would let it read without end.
//
// What is held beyond the limit is bounded too, however many channels there are: the reserve, and
// one read, are at most a channel's share of a quarter of the limit. All channels together hold at
// most five thirds of the limit, as long as that share is not below the least one.
//
// Lives on the pipeline's executor; one for all channels of a target.
#pragma once

#include <cstddef>
#include <functional>
#include <map>

#include "base/executor.h"
#include "model/timestamp.h"

namespace cdc {

class ReadGovernor {
 public:
  struct Options {
    size_t limit_bytes = 24 << 20;   // of one target; up to five thirds of it are held
    size_t reserve_bytes = 1 << 20;  // per channel, at most
    // Of one channel, however many there are: reading less at once is not worth waking up for.
    size_t least_share_bytes = 16 << 10;
  };
  ReadGovernor(Executor* executor, Options options) : executor_(executor), options_(options) {}

  using Id = uint64_t;
  // `resume` is posted to the executor when a channel that was refused may read again.
  Id Register(std::function<void()> resume);
  void Unregister(Id id);  // gives back all its bytes

  void Charge(Id id, size_t bytes);
  void Release(Id id, size_t bytes);
  void SetResolved(Id id, Timestamp resolved);
  // Channels without live objects are nobody's concern: the rule of the lowest passes over them.
  void SetAwaited(Id id, bool awaited);
  // Does the channel hold changes that a tick released already?
  void SetHanded(Id id, bool handed);

  // False: the channel is remembered and resumed when it may read.
  bool MayRead(Id id);
  // How much one read is to bring at most.
  size_t Share() const;
  size_t used() const { return used_; }

 private:
  struct Member {
    std::function<void()> resume;
    size_t bytes = 0;
    Timestamp resolved = 0;
    bool awaited = false;
    bool handed = false;
    bool waiting = false;
  };
  bool Allowed(const Member& member) const;
  void WakeAllowed();

  Executor* executor_;
  Options options_;
  std::map<Id, Member> members_;
  Id next_id_ = 1;
  size_t used_ = 0;
  size_t waiting_ = 0;
  Alive alive_;
};

}  // namespace cdc
