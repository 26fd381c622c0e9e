// The language of the kernels: what NVRTC and a C compiler both take.
//
// A kernel is `KERNEL name(...)`, of blocks of THREADS threads along one axis. What threads do is in phases: `PHASE { ... }` is done by every
// thread, by its number `thread`, and all threads have done it when it ends. What stands outside a phase is the same for all threads of a
// block. No thread reads in a phase what another writes in it, so the order of the threads is free: a C compiler makes a loop of them.
// What is read from SHARED outside a phase is followed by a BARRIER. A phase is not left by `return`, `break` or `continue`. Numbers that a later phase needs are SHARED.

#define THREADS 256

typedef long long index;
typedef unsigned long long bits;

#ifdef __CUDACC_RTC__

#define KERNEL extern "C" __global__ void __launch_bounds__(THREADS)
#define DEVICE static __device__ __forceinline__
#define SHARED __shared__
#define UNROLL _Pragma("unroll")
#define PHASE for (int thread = threadIdx.x, once = 1; once; once = 0, __syncthreads())
#define BLOCK ((int)blockIdx.x)
#define BARRIER __syncthreads();

#else

#include <math.h>

// The block that runs: the driver of host memory sets it, and calls a kernel once a block.
static _Thread_local int block_of_launch;

#define KERNEL static void
#define DEVICE static inline
#define SHARED
#define UNROLL
#ifdef REVERSED
#define PHASE for (int thread = THREADS - 1; thread >= 0; --thread)
#else
#define PHASE for (int thread = 0; thread < THREADS; ++thread)
#endif
#define BLOCK block_of_launch
#define BARRIER

#endif

// The numbers that a thread visits in one block of an element-wise kernel.
#define EACH 4

// Elements `i` of a block's share of `count`: numbers that lie side by side go to threads that do.
#define ELEMENTS(block, count)                                                                                   \
  for (index k = 0, i = (index)(block) * EACH * THREADS + thread; k < EACH; ++k, i += THREADS)                  \
    if (i < (count))

// Whether element `i` is dropped: the finalizer of splitmix64, see `DropoutKey::factor`. `threshold` 0 drops nothing.
DEVICE float dropout_factor(bits key, bits threshold, float kept, index i) {
  if (threshold == 0) return 1.0f;
  bits x = key + (bits)i * 0x9e3779b97f4a7c15ull;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
  x ^= x >> 31;
  return (x >> 11) < threshold ? 0.0f : kept;
}

DEVICE float sigmoid_of(float x) { return 1.0f / (1.0f + expf(-x)); }
