// Any cookies, queries and languages: the normalised forms are bounded, safe to send on, and don't change when normalised
// again.
#include <string>
#include <vector>

#include "cache/request/cookies.hpp"
#include "cache/request/language.hpp"
#include "cache/request/query.hpp"
#include "tests/fuzz/expect.hpp"

using namespace larder;

namespace {

std::vector<CookieRule> rules() {
    std::vector<CookieRule> made(6);
    const char* names[] = {"ab", "lang", "me", "plan", "sid", "w*x"};
    const CookieClass kinds[] = {CookieClass::bucket,   CookieClass::value,    CookieClass::personal,
                                 CookieClass::verified, CookieClass::presence, CookieClass::bypass};
    for (std::size_t i = 0; i < made.size(); i++) {
        made[i].name = names[i];
        made[i].kind = kinds[i];
        made[i].buckets = 7;
        made[i].max_age_s = 60;
        made[i].digest_key = "0123456789abcdef";
        made[i].signer = std::make_shared<Signer>(std::vector<std::string>{"0123456789abcdef"}, cookie_salt);
    }
    return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const std::vector<CookieRule> site = rules();
    static const std::vector<std::string> languages{"en", "de", "zh-hant"};
    static KeptCookies kept;
    std::string_view text(reinterpret_cast<const char*>(data), size);

    kept.collect({&text, 1}, site, 1700000000);
    EXPECT(kept.cookies().size() <= max_variant_pairs);
    for (std::size_t i = 1; i < kept.cookies().size(); i++)
        EXPECT(kept.cookies()[i - 1].name < kept.cookies()[i].name);
    std::string field = kept.field(1700000000);
    EXPECT(field.find_first_of("\r\n\0", 0, 3) == std::string::npos);

    std::string storage, again;
    std::string_view once = normalise_query({QueryRule::Kind::drop, true, {"utm_*"}}, text, storage);
    EXPECT(once.size() <= size);
    EXPECT(normalise_query({QueryRule::Kind::drop, true, {"utm_*"}}, once, again).size() <= once.size());

    std::string_view language = choose_language(text, languages);
    EXPECT(language == "en" || language == "de" || language == "zh-hant");
    return 0;
}
