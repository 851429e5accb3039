// What each connection to a server begins with, and how it is asked whether it still serves.
#pragma once

#include <string>

#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

struct Greeting {
    std::string login;  // commands: none may be refused
    unsigned logins = 0;
    std::string probe;       // one command
    std::string keep_alive;  // one command, for each second
};

Greeting greeting_for(const Endpoint& endpoint);
// Of a connection that subscribes to messages: it may send nothing but PING then.
Greeting subscribers_greeting(const Endpoint& endpoint);

}  // namespace larder::ngx
