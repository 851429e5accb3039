// The legal values of a setting: a predicate, and its description for error messages and docs.
#pragma once

#include <functional>
#include <initializer_list>
#include <string>

#include "address.hpp"
#include "value.hpp"

namespace larder::daemon {

template <typename T>
struct Legal {
    std::string words;
    std::function<bool(const T&)> allows;
};

Legal<Number> between(Number least, Number most);
Legal<Duration> between(Duration least, Duration most);
Legal<Decimal> decimal_between(double least, double most);
Legal<Node> any_node();  // replicas::validate() checks it, together with the rest of its [[database]]
Legal<Nodes> any_nodes();
Legal<Size> bytes_between(std::int64_t least, std::int64_t most);
Legal<Text> one_of(std::initializer_list<const char*> words);
template <typename... Words>
Legal<Text> one_of(const char* first, Words... rest) {
    return one_of(std::initializer_list<const char*>{first, rest...});
}
Legal<Text> required_name();
Legal<Text> optional_name();
Legal<Text> key_prefix();
Legal<Text> listen_address();
Legal<Text> queue_url();
Legal<Text> store_url();
Legal<Text> backend_url();
Legal<Texts> backend_urls();
Legal<Text> absolute_url_or_empty();
Legal<Text> absolute_path_or_empty();
Legal<Text> secret_or_empty();
Legal<Text> file_mode();
Legal<Text> field_value();
Legal<Texts> secrets();
Legal<Texts> host_patterns();
Legal<Texts> absolute_urls();
Legal<Pairs> field_pairs();

}  // namespace larder::daemon
