// Any bytes as a variant: refused with a reason, or encoding the parsed variant gives the same bytes.
#include <cstdint>

#include "cache/request/variant.hpp"
#include "tests/fuzz/expect.hpp"

using namespace larder;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view bytes(reinterpret_cast<const char*>(data), size);
    const char* why = nullptr;
    auto variant = Variant::parse(bytes, &why);
    EXPECT(variant.has_value() == (why == nullptr));
    if (!variant) return 0;
    EXPECT(variant->encode() == bytes);
    EXPECT(variant->target().find_first_of("\r\n ") == std::string::npos);
    EXPECT(variant->url().ends_with(variant->target()));
    EXPECT(variant->cookie_field([](std::string_view value) { return std::string(value); })
               .find_first_of("\r\n") == std::string::npos);

    // The writer that the hit path uses makes the same bytes, or reports that they don't fit.
    char buffer[max_variant_bytes];
    for (std::size_t room : {size, size - 1}) {
        VariantWriter writer(buffer, room);
        writer.start(variant->method, variant->scheme, variant->host, variant->path, variant->query,
                     variant->led, variant->site);
        writer.start_pairs();
        for (const KeptCookie& cookie : variant->cookies) writer.cookie(cookie);
        writer.start_pairs();
        for (const NamedValue& header : variant->headers) writer.header(header.name, header.value);
        EXPECT(writer.finish().has_value() == (room == size));
        if (room == size) EXPECT(*writer.finish() == bytes);
    }
    return 0;
}
