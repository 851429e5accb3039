// The commands with which each connection to a server begins, and those that check whether it still serves.
#pragma once

#include <string>

#include "ngx_module/directives/config.hpp"

namespace larder::ngx {

struct Greeting {
    std::string login;  // commands; an error to any of them ends the connection
    unsigned logins = 0;
    std::string probe;       // one command
    std::string keep_alive;  // one command, sent every second
};

Greeting greeting_for(const Endpoint& endpoint);
// For a connection that subscribes to messages: once subscribed, it may send only PING and the like.
Greeting subscribers_greeting(const Endpoint& endpoint);

}  // namespace larder::ngx
