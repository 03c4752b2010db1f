/* runtime.cc - memory, streams and events of the stand-in.
 *
 * A stream is a queue. Nothing in it is done before something waits for it, and then only as much as the wait
 * asks for (forward); or what is no kernel is done as early as its own waits allow (reversed); or what comes
 * next is drawn (a number). So a wait that is missing between two streams lets a copy come too late, or too
 * early, for a kernel. Device memory is closed to the host while nothing runs: reading it without a copy ends
 * the process. */
#include <sys/mman.h>
#include <unistd.h>

#include <sanitizer/asan_interface.h>

#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "inside.h"

struct CUevent_st {
    cudaStream_t stream; /* of its last record; NULL: never recorded */
    size_t place;        /* the stream's work that has to be done: its first `place` pieces */
};

namespace
{

struct work {
    std::function<void()> run;
    cudaStream_t other; /* waits for `place` pieces of another stream; NULL: does not wait */
    size_t place;
};

struct allocation {
    size_t n_bytes, n_mapped;
    void *mapped; /* with what lies before the first large page */
    int gpu;
};

struct simulator {
    std::map<unsigned char *, allocation> device; /* by first byte */
    std::map<unsigned char *, size_t> pinned;
    std::vector<cudaStream_t> stream;
    std::map<const void *, size_t> shared_limit; /* of kernels that asked for more */
    std::set<std::pair<std::string, int>> sites;
    cudasim_site left_out = {"", 0};
    cudaError_t last_error = cudaSuccess;
    unsigned depth = 0; /* of work that runs */
    uint64_t seed = 0;
    int current = 0;
};

simulator &sim()
{
    static thread_local simulator s;
    return s;
}

unsigned long setting(const char *name, unsigned long otherwise)
{
    const char *text = std::getenv(name);
    return text && *text ? std::strtoul(text, nullptr, 10) : otherwise;
}

} // namespace

struct CUstream_st {
    std::deque<work> queue;
    size_t n_done = 0, n_added = 0;
    bool has_kernels = false; /* ever launched here */
};

[[noreturn]] void cudasim_fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    std::fprintf(stderr, "cudasim: ");
    std::vfprintf(stderr, format, arguments);
    std::fprintf(stderr, "\n");
    va_end(arguments);
    std::abort();
}

cudasim_order cudasim_read_order(uint64_t *seed)
{
    const char *text = std::getenv("COLA_CUDASIM_ORDER");
    *seed = 0;
    if (!text || !*text || std::strcmp(text, "forward") == 0) return cudasim_order::forward;
    if (std::strcmp(text, "reversed") == 0) return cudasim_order::reversed;
    *seed = std::strtoul(text, nullptr, 10);
    return cudasim_order::shuffled;
}

/* --- places left out -------------------------------------------------------------------------------------
 */

bool cudasim_left_out(const char *file, int line)
{
    static thread_local struct {
        const char *file;
        int line;
    } known[64] = {}; /* barriers are called millions of times */
    simulator &s = sim();
    auto &place = known[line % 64];
    if (s.left_out.line == 0 && place.line == line && place.file == file) return false;
    place = {file, line};
    const char *slash = std::strrchr(file, '/');
    const char *name = slash ? slash + 1 : file;
    if (s.left_out.line == line && std::strcmp(s.left_out.file, name) == 0) return true;
    s.sites.insert({name, line});
    return false;
}

size_t cudasim_sites(struct cudasim_site *site, size_t room)
{
    size_t n = 0;
    for (const auto &place : sim().sites) {
        if (n < room) {
            std::snprintf(site[n].file, sizeof site[n].file, "%s", place.first.c_str());
            site[n].line = place.second;
        }
        n++;
    }
    return n;
}

void cudasim_leave_out(const struct cudasim_site *site)
{
    sim().left_out = *site;
}

/* --- device memory, open only while work runs ------------------------------------------------------------
 */

static void protect(int how)
{
    for (const auto &a : sim().device) mprotect(a.first, a.second.n_mapped, how);
}

/* Open from here to the end of its scope: once for all the work that one wait asks for. */
struct opened {
    opened()
    {
        if (sim().depth++ == 0) protect(PROT_READ | PROT_WRITE);
    }
    ~opened()
    {
        if (--sim().depth == 0) protect(PROT_NONE);
    }
};

static bool within_device(const void *p, size_t n_bytes)
{
    auto *at = static_cast<unsigned char *>(const_cast<void *>(p));
    auto after = sim().device.upper_bound(at);
    if (after == sim().device.begin()) return false;
    const auto &a = *--after;
    return at + n_bytes <= a.first + a.second.n_bytes;
}

static bool within_pinned(const void *p, size_t n_bytes)
{
    auto *at = static_cast<unsigned char *>(const_cast<void *>(p));
    auto after = sim().pinned.upper_bound(at);
    if (after == sim().pinned.begin()) return false;
    const auto &a = *--after;
    return at + n_bytes <= a.first + a.second;
}

static size_t gpu_bytes()
{
    return setting("COLA_CUDASIM_MEMORY", 96) << 20;
}

cudaError_t cudaMemGetInfo(size_t *n_free, size_t *n_all)
{
    size_t used = 0;
    for (const auto &a : sim().device)
        if (a.second.gpu == sim().current) used += a.second.n_bytes;
    *n_all = gpu_bytes();
    *n_free = used < *n_all ? *n_all - used : 0;
    return cudaSuccess;
}

cudaError_t cudaMalloc(void **out, size_t n_bytes)
{
    constexpr size_t HUGE = 2 << 20; /* large pages, so that opening and closing them is quick */
    size_t n_free, n_all, n_mapped = (n_bytes + HUGE - 1) / HUGE * HUGE;
    cudaMemGetInfo(&n_free, &n_all);
    if (n_bytes > n_free) return cudaErrorMemoryAllocation;
    void *mapped = mmap(nullptr, n_mapped + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return cudaErrorMemoryAllocation;
    auto *memory =
        reinterpret_cast<unsigned char *>((reinterpret_cast<uintptr_t>(mapped) + HUGE - 1) / HUGE * HUGE);
    madvise(memory, n_mapped, MADV_HUGEPAGE);
    std::memset(memory, 0xFF, n_bytes); /* NaN */
    mprotect(memory, n_mapped, PROT_NONE);
    sim().device[memory] = {n_bytes, n_mapped, mapped, sim().current};
    *out = memory;
    return cudaSuccess;
}

cudaError_t cudaFree(void *memory)
{
    auto found = sim().device.find(static_cast<unsigned char *>(memory));
    if (!memory) return cudaSuccess;
    if (found == sim().device.end()) return cudaErrorInvalidValue;
    ASAN_UNPOISON_MEMORY_REGION(memory, found->second.n_mapped);
    munmap(found->second.mapped, found->second.n_mapped + (2 << 20));
    sim().device.erase(found);
    return cudaSuccess;
}

cudaError_t cudaHostAlloc(void **out, size_t n_bytes, unsigned)
{
    if (posix_memalign(out, 4096, n_bytes)) return cudaErrorMemoryAllocation;
    std::memset(*out, 0xFF, n_bytes);
    sim().pinned[static_cast<unsigned char *>(*out)] = n_bytes;
    return cudaSuccess;
}

cudaError_t cudaFreeHost(void *memory)
{
    if (!sim().pinned.erase(static_cast<unsigned char *>(memory))) return cudaErrorInvalidValue;
    std::free(memory);
    return cudaSuccess;
}

/* --- streams ---------------------------------------------------------------------------------------------
 */

static void run_until(cudaStream_t stream, size_t place)
{
    if (stream->n_done >= place) return;
    opened memory;
    while (stream->n_done < place) {
        work next = stream->queue.front();
        if (next.other) run_until(next.other, next.place);
        stream->queue.pop_front();
        if (next.run) next.run();
        stream->n_done++;
    }
}

/* One piece, if it need not wait for another stream. */
static bool run_one(cudaStream_t stream)
{
    if (stream->queue.empty()) return false;
    const work &next = stream->queue.front();
    if (next.other && next.other->n_done < next.place) return false;
    run_until(stream, stream->n_done + 1);
    return true;
}

static void run_early()
{
    simulator &s = sim();
    uint64_t seed;
    cudasim_order order = cudasim_read_order(&seed);
    if (order == cudasim_order::forward || s.depth) return;
    if (order == cudasim_order::shuffled) {
        uint64_t drawn = cudasim_random(&s.seed);
        for (uint64_t i = drawn % 3; i > 0; i--) run_one(s.stream[(drawn >> (8 * i)) % s.stream.size()]);
        return;
    }
    for (cudaStream_t stream : s.stream)
        while (!stream->has_kernels && run_one(stream)) continue;
}

static void add(cudaStream_t stream, work w)
{
    if (!stream) cudasim_fail("the stand-in has no default stream");
    stream->queue.push_back(std::move(w));
    stream->n_added++;
    run_early();
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned)
{
    *out = new CUstream_st;
    sim().stream.push_back(*out);
    cudasim_read_order(&sim().seed);
    return cudaSuccess;
}

cudaError_t cudasim_finish_stream(cudaStream_t stream, const char *file, int line)
{
    if (!cudasim_left_out(file, line)) run_until(stream, stream->n_added);
    return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    std::vector<cudaStream_t> &all = sim().stream;
    run_until(stream, stream->n_added);
    for (size_t i = 0; i < all.size(); i++)
        if (all[i] == stream) all.erase(all.begin() + (long)i--);
    delete stream;
    return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned)
{
    *out = new CUevent_st{nullptr, 0};
    return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream)
{
    *event = {stream, stream->n_added};
    return cudaSuccess;
}

cudaError_t cudasim_finish_event(cudaEvent_t event, const char *file, int line)
{
    if (!cudasim_left_out(file, line) && event->stream) run_until(event->stream, event->place);
    return cudaSuccess;
}

cudaError_t cudasim_wait_event(cudaStream_t stream, cudaEvent_t event, const char *file, int line)
{
    if (!cudasim_left_out(file, line) && event->stream) add(stream, {nullptr, event->stream, event->place});
    return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t n_bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    if (!(kind == cudaMemcpyDeviceToHost ? within_pinned(to, n_bytes) : within_device(to, n_bytes)))
        cudasim_fail("copy of %zu bytes to %s", n_bytes,
                     kind == cudaMemcpyDeviceToHost ? "memory that is not pinned: it would wait"
                                                    : "no device memory");
    if (!(kind == cudaMemcpyHostToDevice ? within_pinned(from, n_bytes) : within_device(from, n_bytes)))
        cudasim_fail("copy of %zu bytes from %s", n_bytes,
                     kind == cudaMemcpyHostToDevice ? "memory that is not pinned: it would wait"
                                                    : "no device memory");
    add(stream, {[=]() { std::memcpy(to, from, n_bytes); }, nullptr, 0});
    return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void *memory, int value, size_t n_bytes, cudaStream_t stream)
{
    if (!within_device(memory, n_bytes)) cudasim_fail("memset of %zu bytes of no device memory", n_bytes);
    add(stream, {[=]() { std::memset(memory, value, n_bytes); }, nullptr, 0});
    return cudaSuccess;
}

void cudasim_block(cudaStream_t stream, void *block, size_t n_bytes, bool taken)
{
    if (!within_device(block, n_bytes))
        cudasim_fail("a block of %zu bytes outside of device memory", n_bytes);
    add(stream, {[=]() {
                     if (!taken) {
                         ASAN_POISON_MEMORY_REGION(block, n_bytes);
                         return;
                     }
                     ASAN_UNPOISON_MEMORY_REGION(block, n_bytes);
                     std::memset(block, 0xFF, n_bytes);
                 },
                 nullptr, 0});
}

/* --- launches --------------------------------------------------------------------------------------------
 */

cudaError_t cudaFuncSetAttribute(const void *kernel, enum cudaFuncAttribute, int value)
{
    struct cudaDeviceProp property;
    cudaGetDeviceProperties(&property, 0);
    if ((size_t)value > property.sharedMemPerBlockOptin) return cudaErrorInvalidValue;
    sim().shared_limit[kernel] = (size_t)value;
    return cudaSuccess;
}

void cudasim_launch(const void *kernel, dim3 grid, dim3 block, size_t shared_bytes, cudaStream_t stream,
                    std::function<void()> thread)
{
    constexpr size_t WITHOUT_ASKING = 48 << 10;
    auto asked = sim().shared_limit.find(kernel);
    size_t limit = asked == sim().shared_limit.end() ? WITHOUT_ASKING : asked->second;
    unsigned n_threads = block.x * block.y * block.z;
    if (n_threads == 0 || n_threads > 1024 || grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.y > 65535 ||
        grid.z > 65535 || (shared_bytes > limit && shared_bytes > WITHOUT_ASKING)) {
        sim().last_error = cudaErrorInvalidConfiguration;
        return;
    }
    stream->has_kernels = true;
    add(stream, {[=]() { cudasim_run(grid, block, shared_bytes, thread); }, nullptr, 0});
}

/* --- devices ---------------------------------------------------------------------------------------------
 */

cudaError_t cudaGetLastError(void)
{
    cudaError_t error = sim().last_error;
    sim().last_error = cudaSuccess;
    return error;
}

const char *cudaGetErrorString(cudaError_t error)
{
    switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidConfiguration: return "invalid configuration argument";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorInvalidDevice: return "invalid device ordinal";
    }
    return "unrecognized error code";
}

cudaError_t cudaGetDeviceCount(int *n)
{
    *n = (int)setting("COLA_CUDASIM_GPUS", 2);
    return *n ? cudaSuccess : cudaErrorNoDevice;
}

cudaError_t cudaSetDevice(int device)
{
    int n;
    cudaGetDeviceCount(&n);
    if (device < 0 || device >= n) return cudaErrorInvalidDevice;
    sim().current = device;
    return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *property, int device)
{
    unsigned long machine = setting("COLA_CUDASIM_MACHINE", (unsigned long)getpid());
    *property = {};
    std::snprintf(property->name, sizeof property->name, "NVIDIA stand-in on the CPU");
    std::memcpy(property->uuid.bytes, &machine, sizeof machine);
    property->uuid.bytes[15] = (char)device;
    property->major = 9;
    property->multiProcessorCount =
        20; /* few, so that tests/cuda/products.c reaches the tiles of large matrices */
    property->sharedMemPerBlockOptin = 227 << 10;
    return cudaSuccess;
}
