// Any bytes as a plan, with a correct checksum (without which nearly all inputs are refused early): refused, or assembled
// within the limits.
#include <cstdint>
#include <cstring>

#include "edge_includes/plan/plan_bytes.hpp"
#include "tests/edge_includes/host.hpp"
#include "tests/fuzz/expect.hpp"

using namespace larder::esi;
using namespace larder::esi::test;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string plan(reinterpret_cast<const char*>(data), size);
    PlanHeader header{};
    if (size < sizeof header) return PlanView::parse(plan, 0).has_value();
    std::memcpy(&header, plan.data(), sizeof header);
    // Sets the correct checksum, as an attacker would.
    header.magic = plan_magic;
    header.version = plan_version;
    header.size = static_cast<std::uint32_t>(size);
    header.document_size = 1000;
    std::uint64_t tables =
        sizeof header + 16ull * header.ops + 24ull * header.includes + 16ull * header.inlines;
    if (tables <= size) header.heap_size = static_cast<std::uint32_t>(size - tables);
    header.reserved = 0;
    auto reads = static_cast<std::uint16_t>(header.flags & 0xff00);
    for (std::uint16_t flags : {std::uint16_t{0}, plan_simple}) {
        header.flags = static_cast<std::uint16_t>(flags | reads);
        std::memcpy(plan.data(), &header, sizeof header);
        std::uint32_t sum = plan_checksum(plan.data(), plan.size());
        std::memcpy(plan.data() + checksum_at, &sum, sizeof sum);
        auto view = PlanView::parse(plan, 1000);
        if (!view) continue;
        view->to_text();
        static const std::string document(1000, '.');
        Request request;
        BudgetLimits limits;
        limits.work = 2000;
        limits.memory = 50'000;
        Page page(document, *view, request, {{"/a", "A"}, {"/b", 500}}, Order::last_come, limits);
        EXPECT(page.done);
    }
    return 0;
}
