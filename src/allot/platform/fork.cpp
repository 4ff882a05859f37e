#include <allot/platform/fork.hpp>

#include <pthread.h>

namespace allot {

bool on_fork(fork_handlers handlers) noexcept {
    return ::pthread_atfork(handlers.prepare, handlers.parent, handlers.child) == 0;
}

} // namespace allot
