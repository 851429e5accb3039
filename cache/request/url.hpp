// The one normal form of URLs (RFC 3986 section 6.2.2, and no further). Keys, purges and whatever else compares URLs go through it.
#pragma once

#include <string>
#include <string_view>

namespace larder {

// HOST[:PORT] in lower case, without the final dot of a DNS name, without an empty port or the default port of `scheme` ("http",
// "https"), other ports without leading zeros. It is `authority` itself where that is normal already, otherwise in `storage`.
//
// Percent-encoded octets of a host stay as they are: nginx and Host-based routing look at the host undecoded, so that another
// spelling is another site there. The same goes for what is no port.
std::string_view normalise_authority(std::string_view authority, std::string_view scheme,
                                     std::string& storage);

// The port that an authority names; empty where it names none.
std::string_view port_of(std::string_view authority);

}  // namespace larder
