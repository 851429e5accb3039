// A bound on the elements of an array that hiredis' reader takes. A template, as the cache library does not know hiredis.
#pragma once

#include <type_traits>

namespace larder {

// More than any reply to a command of ours has.
inline constexpr long long max_reply_elements = 1 << 20;

// `reader`: a redisReader. A longer array counts as a protocol error. Without this, "*1000000000" from a broken server has
// the reader allocate a thousand million elements, and walk through them.
template <typename Reader>
void bound_arrays(Reader* reader) {
    using Functions = std::remove_pointer_t<decltype(reader->fn)>;
    static const Functions* const given = reader->fn;  // hiredis' own, the same for all readers
    static Functions bounded = [] {
        Functions functions = *given;
        functions.createArray = [](const auto* task, auto elements) -> void* {  // int, or size_t from hiredis 1.0 on
            return static_cast<long long>(elements) > max_reply_elements ? nullptr : given->createArray(task, elements);
        };
        return functions;
    }();
    reader->fn = &bounded;
}

}  // namespace larder
