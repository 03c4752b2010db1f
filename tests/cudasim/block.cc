/* block.cc - runs the threads of one block as fibers, each from one barrier to the next, in the order asked
 * for.
 *
 * Between barriers a thread runs alone: so a value that another thread writes after a barrier that is missing
 * is not there yet (in one order or another), and a place in shared memory that is written too early is read
 * too late. A barrier that some threads never reach is an error, and so is a shuffle without its whole warp.
 *
 * Fibers are switched by six pushes and pops (x86-64): ten times cheaper than ucontext, which saves signal
 * masks. */
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "inside.h"

#if !defined(__x86_64__)
#error "the stand-in for CUDA switches fibers in x86-64 assembly"
#endif

extern "C" void cudasim_switch(void **save, void *to);
asm(R"(
    .text
    .globl cudasim_switch
    .type cudasim_switch, @function
cudasim_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
    .size cudasim_switch, .-cudasim_switch
)");

__thread cudasim_place cudasim_here;

namespace
{

constexpr unsigned WARP = 32, MOST_THREADS = 1024;
constexpr size_t STACK_BYTES = 128 << 10, GUARD_BYTES = 4 << 10;

enum class state { ready, at_barrier, in_warp, done };
struct fiber {
    void *stack_pointer;
    enum state state;
    const char *file; /* of the barrier or shuffle it waits at */
    int line;
    uint32_t given[2]; /* what it gave to its warp's last two shuffles */
    unsigned n_exchanges;
};

struct machine {
    unsigned char *stacks = nullptr;
    fiber thread[MOST_THREADS];
    unsigned n_threads = 0, running = 0;
    void *scheduler = nullptr;
    dim3 block_dim;
    const std::function<void()> *body = nullptr;
    std::vector<unsigned> order;
    cudasim_order kind = cudasim_order::forward;
    uint64_t seed = 0;
};
thread_local machine of_thread;
__thread machine *current; /* of_thread, without asking each time whether it was made */
#define m (*current)

void yield(enum state why, const char *file, int line)
{
    fiber &f = m.thread[m.running];
    f.state = why, f.file = file, f.line = line;
    cudasim_switch(&f.stack_pointer, m.scheduler);
}

void enter()
{
    (*m.body)();
    yield(state::done, "", 0);
}

void map_stacks()
{
    if (m.stacks) return;
    size_t each = STACK_BYTES + GUARD_BYTES, n = each * MOST_THREADS;
    void *memory =
        mmap(nullptr, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) cudasim_fail("no memory for %u fibers", MOST_THREADS);
    m.stacks = static_cast<unsigned char *>(memory);
    for (unsigned i = 0; i < MOST_THREADS; i++) mprotect(m.stacks + i * each, GUARD_BYTES, PROT_NONE);
}

void prepare(unsigned i)
{
    uintptr_t top = reinterpret_cast<uintptr_t>(m.stacks + (i + 1) * (STACK_BYTES + GUARD_BYTES));
    void **sp = reinterpret_cast<void **>(top);
    *--sp = nullptr; /* enter's return address: it never returns */
    *--sp = reinterpret_cast<void *>(&enter);
    for (int r = 0; r < 6; r++) *--sp = nullptr;
    m.thread[i] = fiber{sp, state::ready, "", 0, {0, 0}, 0};
}

void resume(unsigned i)
{
    m.running = i;
    cudasim_here.thread = {i % m.block_dim.x, i / m.block_dim.x % m.block_dim.y,
                           i / m.block_dim.x / m.block_dim.y};
    cudasim_switch(&m.scheduler, m.thread[i].stack_pointer);
}

bool same_place(const fiber &a, const fiber &b)
{
    return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0);
}

/* Lets a warp go on whose lanes are all at the same shuffle or warp barrier. */
bool release_warp(unsigned first)
{
    for (unsigned i = first; i < first + WARP; i++)
        if (m.thread[i].state != state::in_warp) return false;
    for (unsigned i = first; i < first + WARP; i++) {
        if (!same_place(m.thread[i], m.thread[first]))
            cudasim_fail("lanes of a warp at different places: %s:%d and %s:%d", m.thread[first].file,
                         m.thread[first].line, m.thread[i].file, m.thread[i].line);
        m.thread[i].state = state::ready;
    }
    return true;
}

/* After a sweep nobody is ready. Returns false when all are done. */
bool release()
{
    bool moved = false;
    unsigned n_done = 0, n_barrier = 0;
    for (unsigned first = 0; first < m.n_threads; first += WARP) moved = release_warp(first) || moved;
    for (unsigned i = 0; i < m.n_threads; i++) {
        n_done += m.thread[i].state == state::done;
        n_barrier += m.thread[i].state == state::at_barrier;
    }
    if (moved) return true;
    if (n_done == m.n_threads) return false;
    for (unsigned i = 0; i < m.n_threads; i++) {
        const fiber &f = m.thread[i];
        if (n_barrier != m.n_threads && f.state != state::done)
            cudasim_fail("%s:%d: thread %u waits, and not all threads of its %s come: %u of %u have ended",
                         f.file, f.line, i, f.state == state::in_warp ? "warp" : "block", n_done,
                         m.n_threads);
        if (n_barrier == m.n_threads && !same_place(f, m.thread[0]))
            cudasim_fail("threads of a block at different barriers: %s:%d and %s:%d", m.thread[0].file,
                         m.thread[0].line, f.file, f.line);
    }
    for (unsigned i = 0; i < m.n_threads; i++) m.thread[i].state = state::ready;
    return true;
}

void shuffle_order()
{
    for (size_t i = m.order.size(); i > 1; i--)
        std::swap(m.order[i - 1], m.order[cudasim_random(&m.seed) % i]);
}

void run_block(unsigned char *shared, size_t shared_bytes)
{
    std::memset(shared, 0xFF, shared_bytes);
    for (unsigned i = 0; i < m.n_threads; i++) prepare(i);
    do {
        if (m.kind == cudasim_order::shuffled) shuffle_order();
        for (unsigned i : m.order)
            if (m.thread[i].state == state::ready) resume(i);
    } while (release());
}

} // namespace

void cudasim_run(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()> &thread)
{
    current = &of_thread;
    map_stacks();
    uint64_t seed;
    m.kind = cudasim_read_order(&seed);
    m.seed += seed;
    m.n_threads = block.x * block.y * block.z;
    m.block_dim = block;
    m.body = &thread;
    m.order.resize(m.n_threads);
    for (unsigned i = 0; i < m.n_threads; i++)
        m.order[i] = m.kind == cudasim_order::reversed ? m.n_threads - 1 - i : i;
    void *shared = nullptr; /* just as large as asked for: AddressSanitizer sees what goes beyond */
    if (posix_memalign(&shared, 16, shared_bytes ? shared_bytes : 1)) cudasim_fail("no memory for a block");
    cudasim_here.shared = static_cast<unsigned char *>(shared);
    cudasim_here.block_dim = {block.x, block.y, block.z};
    cudasim_here.grid_dim = {grid.x, grid.y, grid.z};
    size_t n_blocks = (size_t)grid.x * grid.y * grid.z;
    for (size_t i = 0; i < n_blocks; i++) {
        size_t at = m.kind == cudasim_order::reversed ? n_blocks - 1 - i : i;
        cudasim_here.block = {(unsigned)(at % grid.x), (unsigned)(at / grid.x % grid.y),
                              (unsigned)(at / grid.x / grid.y)};
        run_block(cudasim_here.shared, shared_bytes);
    }
    std::free(shared);
}

/* --- what threads call ---------------------------------------------------------------------------------- */

void cudasim_barrier(const char *file, int line)
{
    if (!cudasim_left_out(file, line)) yield(state::at_barrier, file, line);
}

static void check_mask(unsigned mask, const char *file, int line)
{
    if (mask != 0xFFFFFFFFu)
        cudasim_fail("%s:%d: a mask of some lanes; the stand-in knows whole warps", file, line);
    if (m.n_threads % WARP)
        cudasim_fail("%s:%d: a block of %u threads has no whole warps", file, line, m.n_threads);
}

void cudasim_warp_barrier(unsigned mask, const char *file, int line)
{
    check_mask(mask, file, line);
    if (!cudasim_left_out(file, line)) yield(state::in_warp, file, line);
}

/* Two places a lane, used in turn: a lane that is already at the next shuffle must not take away what a
 * slower one has yet to read; the one after the next it cannot reach. */
uint32_t cudasim_exchange(unsigned mask, uint32_t value, unsigned source, const char *file, int line)
{
    check_mask(mask, file, line);
    unsigned self = m.running, turn = m.thread[self].n_exchanges++ % 2;
    m.thread[self].given[turn] = value;
    yield(state::in_warp, file, line);
    return m.thread[self / WARP * WARP + source].given[turn];
}
