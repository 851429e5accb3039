// Any bytes as a job: refused with a reason, or encoding the decoded job gives the same bytes.
#include <cstdint>

#include "cache/job.hpp"
#include "cache/request/variant.hpp"
#include "tests/fuzz/expect.hpp"

using namespace larder;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const char* why = nullptr;
    auto job = decode_job(bytes, &why);
    EXPECT(job.has_value() == (why == nullptr));
    if (!job) return 0;
    EXPECT(encode_job(*job) == bytes);
    EXPECT(Variant::parse(job->variant, &why).has_value());
    EXPECT(job->policy.valid.size() <= max_valid_rules);
    EXPECT(to_string(job->reason) != nullptr);
    return 0;
}
