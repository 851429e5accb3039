// C++ objects in nginx pools, and guards that stop exceptions before nginx's C code.
#pragma once

#include <exception>
#include <new>
#include <utility>

#include "ngx_module/ngx.hpp"

namespace larder::ngx {

// The cleanup handler of a T in a pool. Its address identifies the type.
template <typename T>
ngx_pool_cleanup_pt cleanup_of() {
    return [](void* data) { static_cast<T*>(data)->~T(); };
}

// Makes an object in the pool, to be destroyed with it. Throws std::bad_alloc, and whatever the constructor throws.
template <typename T, typename... Args>
T* make(ngx_pool_t* pool, Args&&... args) {
    static_assert(alignof(T) <= NGX_ALIGNMENT, "nginx's pools align no further");
    ngx_pool_cleanup_t* cleanup = ngx_pool_cleanup_add(pool, sizeof(T));
    if (cleanup == nullptr) throw std::bad_alloc();
    T* object = new (cleanup->data) T(std::forward<Args>(args)...);
    cleanup->handler = cleanup_of<T>();
    return object;
}

inline void log_exception(ngx_log_t* log, const char* where) noexcept {
    try {
        throw;
    } catch (const std::exception& e) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "larder: %s: %s", where, e.what());
    } catch (...) {
        ngx_log_error(NGX_LOG_ERR, log, 0, "larder: %s: unknown exception", where);
    }
}

// Runs f. An exception, which must not reach nginx's C code, is logged, and `failure` is returned.
template <typename F, typename R>
R guarded(ngx_log_t* log, const char* where, R failure, F&& f) noexcept {
    try {
        return f();
    } catch (...) {
        log_exception(log, where);
        return failure;
    }
}

}  // namespace larder::ngx
