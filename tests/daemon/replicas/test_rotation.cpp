// Hysteresis, as a table of samples (g good, - between, b bad, f failed) and of the expected state after each (I in, o out).
#include "daemon/replicas/decide/rotation.hpp"

#include <string>

#include "tests/cmocka.hpp"

using namespace larder::replicas;

static std::string run_through(const std::string& samples) {
    Rotation rotation;
    std::string seen;
    for (char c : samples) {
        rotation.count(c == 'g'   ? Sample::good
                       : c == '-' ? Sample::between
                       : c == 'b' ? Sample::bad
                                  : Sample::failed);
        seen.push_back(rotation.in() ? 'I' : 'o');
        assert_true(rotation.in() == (rotation.missing() == 0));
    }
    return seen;
}

TEST(in_and_out) {
    struct {
        const char* samples;
        const char* expected;
    } rows[] = {
        {"g", "I"},  // a new replica needs one good sample
        {"---g", "oooI"},
        {"bbbg", "oooI"},
        {"gbgbgb", "IIIIII"},  // one bad sample doesn't take it out
        {"gbb", "IIo"},        // two in a row do
        {"gb-b", "IIII"},
        {"gffgff", "IIIIII"},  // two failures are tolerated
        {"gfff", "IIIo"},
        {"gbfbf", "IIIII"},      // neither in a row
        {"gbbgggg", "IIooooo"},  // back in after five good ones ...
        {"gbbggggg", "IIoooooI"},
        {"gbbgggg-gggg", "IIoooooooooo"},  // ... in a row
        {"gbbgggg-ggggg", "IIooooooooooI"},
        {"gfffggggg", "IIIoooooI"},
        {"gbbgggggbb", "IIoooooIIo"},
        {"g--------", "IIIIIIIII"},
    };
    for (const auto& row : rows) assert_text_equal(run_through(row.samples), row.expected);
}

TEST(the_missing_ones_are_told) {
    Rotation rotation;
    assert_int_equal(rotation.missing(), 1);
    rotation.count(Sample::good);
    rotation.count(Sample::bad);
    rotation.count(Sample::bad);
    assert_int_equal(rotation.missing(), 5);
    rotation.count(Sample::good);
    assert_int_equal(rotation.missing(), 4);
}

TEST_MAIN("replicas rotation")
