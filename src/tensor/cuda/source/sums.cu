// Sums over positions, in a fixed order: a block adds up a slab of positions of a row, and slabs are added one after the other.

// How the threads of a block share a slab: `width` channels at a time, and the positions between `lanes`.
#define WIDTH(channels) ((channels) < THREADS ? (channels) : THREADS)
#define LANES(channels) (THREADS / WIDTH(channels))

// part[(row, slab), c] = the sum of x over the slab's positions.
KERNEL sum_slabs(float *part, const float *x, int positions, int channels, int slabs, int slab) {
  SHARED float sums[THREADS];
  int row = BLOCK / slabs, first = BLOCK % slabs * slab;
  int end = first + slab < positions ? first + slab : positions;
  int width = WIDTH(channels), lanes = LANES(channels);
  for (int before = 0; before < channels; before += width) {
    PHASE {
      int lane = thread / width, c = before + thread % width;
      float sum = 0.0f;
      if (lane < lanes && c < channels) {
        const float *at = x + (index)row * positions * channels + c;
        for (int p = first + lane; p < end; p += lanes) sum += at[(index)p * channels];
      }
      sums[thread] = sum;
    }
    PHASE {
      int c = before + thread;
      if (thread < width && c < channels) {
        float sum = sums[thread];
        for (int lane = 1; lane < lanes; ++lane) sum += sums[lane * width + thread];
        part[(index)BLOCK * channels + c] = sum;
      }
    }
  }
}

// y[outer, c] (+)= the sum over `inner` of x[(outer, inner), c]; y has `count` numbers.
KERNEL sum_inner(float *y, const float *x, index count, int inner, int channels, int add) {
  PHASE {
    ELEMENTS(BLOCK, count) {
      const float *at = x + i / channels * inner * channels + i % channels;
      float sum = 0.0f;
      for (int j = 0; j < inner; ++j) sum += at[(index)j * channels];
      y[i] = add ? y[i] + sum : sum;
    }
  }
}
