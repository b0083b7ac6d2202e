#include "client/raw_log.h"

#include "base/format.h"

namespace cdc {

Error PositionGoneError(const std::string& topic, const LogPosition& place, std::string_view why,
                        const std::optional<LogId>& oldest) {
  return FatalError(Format("channel {}: cannot read {}: {}; the oldest message held is {}", topic,
                           ToString(place), why, oldest ? ToString(*oldest) : "none"),
                    ErrorKind::kPositionGone);
}

}  // namespace cdc
