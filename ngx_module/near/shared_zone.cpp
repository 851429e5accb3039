// The near cache and its forecast take all pages of an nginx slab zone. The slab pool's own lock guards them, because
// the master unlocks that one when a worker dies with it (ngx_unlock_mutexes).
#include "ngx_module/near/shared_zone.hpp"

#include <memory>
#include <new>

#include "ngx_module/pool.hpp"

namespace larder::ngx {

namespace {

class SlabLock final : public near_cache::Lock {
public:
    explicit SlabLock(ngx_slab_pool_t* pool) : pool_(pool) {}
    void lock() override { ngx_shmtx_lock(&pool_->mutex); }
    void unlock() override { ngx_shmtx_unlock(&pool_->mutex); }

private:
    ngx_slab_pool_t* pool_;
};

struct Attached {
    SlabLock lock;
    near_cache::Zone zone;

    Attached(ngx_slab_pool_t* pool, void* memory, std::size_t size, bool fresh)
        : lock(pool), zone(memory, size, lock, fresh) {}
};

std::unique_ptr<Attached> attached;
near_cache::Forecast* attached_forecast;

struct Area {
    void* memory;
    std::size_t size;
    near_cache::Forecast* forecast;
};

// Where the near cache is in the zone. The slab pool's `data` points to it, and survives a reload.
Area* area_of(ngx_shm_zone_t* shm) {
    return static_cast<Area*>(reinterpret_cast<ngx_slab_pool_t*>(shm->shm.addr)->data);
}

ngx_int_t init_shared_zone(ngx_shm_zone_t* shm, void* previous) {
    auto* pool = reinterpret_cast<ngx_slab_pool_t*>(shm->shm.addr);
    if (previous != nullptr) {  // a reload with the same size: keep the contents
        shm->data = previous;
        return NGX_OK;
    }
    auto* area = static_cast<Area*>(ngx_slab_alloc(pool, sizeof(Area)));
    void* forecast = ngx_slab_calloc(pool, sizeof(near_cache::Forecast));
    if (area == nullptr || forecast == nullptr) return NGX_ERROR;
    area->forecast = new (forecast) near_cache::Forecast;
    area->size = pool->pfree * ngx_pagesize;
    area->memory = ngx_slab_alloc(pool, area->size);
    if (area->memory == nullptr) return NGX_ERROR;
    pool->data = area;
    shm->data = area;
    return guarded(shm->shm.log, "near cache", static_cast<ngx_int_t>(NGX_ERROR), [&]() -> ngx_int_t {
        Attached(pool, area->memory, area->size, true);
        return NGX_OK;
    });
}

}  // namespace

ngx_shm_zone_t* add_shared_zone(ngx_conf_t* cf, std::size_t bytes) {
    ngx_str_t name = ngx_string("larder");
    ngx_shm_zone_t* shm = ngx_shared_memory_add(cf, &name, bytes, &ngx_http_larder_module);
    if (shm != nullptr) shm->init = init_shared_zone;
    return shm;
}

void attach_zone(ngx_shm_zone_t* shm) {
    Area* area = area_of(shm);
    attached_forecast = area->forecast;
    attached = std::make_unique<Attached>(reinterpret_cast<ngx_slab_pool_t*>(shm->shm.addr), area->memory,
                                          area->size, false);
}

near_cache::Zone& zone() {
    return attached->zone;
}

near_cache::Forecast& forecast() {
    return *attached_forecast;
}

bool has_zone() {
    return attached != nullptr;
}

}  // namespace larder::ngx
