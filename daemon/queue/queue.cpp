// The names of results on the wire.
#include "queue.hpp"

namespace larder::daemon {

const char* to_string(Enqueued result) {
    switch (result) {
        case Enqueued::fresh:
            return "new";
        case Enqueued::dup:
            return "dup";
        case Enqueued::raised:
            return "raised";
        case Enqueued::running:
            return "running";
        case Enqueued::dirty:
            return "dirty";
        case Enqueued::refused:
            return "refused";
        case Enqueued::nodaemon:
            return "nodaemon";
        case Enqueued::full:
            return "full";
    }
    return "unknown";
}

}  // namespace larder::daemon
