#include "server/doctor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

namespace cdc {
namespace {

TEST(DoctorTest, PrintsWhatWasFoundAndWhatToDo) {
  std::ostringstream out;
  PrintFindings({{"source.etcd", Severity::kOk, "etcd answers", ""},
                 {"source.ticking", Severity::kWarning, "ch stands still", "look"},
                 {"target.mode", Severity::kError, "t is a standby", "use mode replicate"}},
                out);
  EXPECT_EQ(out.str(),
            "ok      source.etcd: etcd answers\n"
            "WARNING source.ticking: ch stands still\n"
            "        look\n"
            "ERROR   target.mode: t is a standby\n"
            "        use mode replicate\n");
}

TEST(DoctorTest, ARequestThatIsNoneIsRefusedBeforeAnythingIsAsked) {
  std::ostringstream out, err;
  EXPECT_EQ(RunDoctor({}, R"({"milvus_connect_param":{"password":"sesame")", false, out, err), 2);
  EXPECT_EQ(out.str(), "");
  EXPECT_THAT(err.str(), testing::StartsWith("milvus-cdc: the body is not valid JSON"));
  EXPECT_THAT(err.str(), testing::Not(testing::HasSubstr("sesame")));
}

}  // namespace
}  // namespace cdc
