// What attention does between its matrix products: a block a row of `count` scores. Its sums are added in a fixed tree.

// sums[0] = the sum of all, or the largest.
#define ADD_UP(sums)                                            \
  for (int reach = THREADS / 2; reach > 0; reach /= 2) PHASE {  \
      if (thread < reach) sums[thread] += sums[thread + reach]; \
    }
#define LARGEST(sums)                                                                  \
  for (int reach = THREADS / 2; reach > 0; reach /= 2) PHASE {                         \
      if (thread < reach) sums[thread] = fmaxf(sums[thread], sums[thread + reach]);    \
    }

// p = softmax(p).
KERNEL softmax(float *p, int count) {
  SHARED float found[THREADS];
  float *row = p + (index)BLOCK * count;
  PHASE {
    float largest = -3.402823466e38f;
    for (int i = thread; i < count; i += THREADS) largest = fmaxf(largest, row[i]);
    found[thread] = largest;
  }
  LARGEST(found)
  float largest = found[0];
  BARRIER
  PHASE {
    float sum = 0.0f;
    for (int i = thread; i < count; i += THREADS) {
      float x = expf(row[i] - largest);
      row[i] = x;
      sum += x;
    }
    found[thread] = sum;
  }
  ADD_UP(found)
  PHASE {
    float inverse = 1.0f / found[0];
    for (int i = thread; i < count; i += THREADS) row[i] *= inverse;
  }
}

// d = p (d - <p, d>): the derivative along d, and its transpose.
KERNEL softmax_tangent(float *d, const float *p, int count) {
  SHARED float sums[THREADS];
  index first = (index)BLOCK * count;
  PHASE {
    float sum = 0.0f;
    for (int i = thread; i < count; i += THREADS) sum += p[first + i] * d[first + i];
    sums[thread] = sum;
  }
  ADD_UP(sums)
  PHASE {
    for (int i = thread; i < count; i += THREADS) d[first + i] = p[first + i] * (d[first + i] - sums[0]);
  }
}

// The equations of `cpu::attention_jvp` of a row: from P, S', gP' and h, in the places of S', gP' and h: P', gS' and gS.
KERNEL softmax_back(float *ds, float *gds, float *gs, const float *p, int count) {
  SHARED float sums[THREADS];
  SHARED float tangents[THREADS];
  index first = (index)BLOCK * count;
  PHASE {
    float sum = 0.0f, tangent = 0.0f;
    for (int i = thread; i < count; i += THREADS) {
      sum += p[first + i] * ds[first + i];
      tangent += p[first + i] * gds[first + i];
    }
    sums[thread] = sum;
    tangents[thread] = tangent;
  }
  ADD_UP(sums)
  ADD_UP(tangents)
  float mean = sums[0], t = tangents[0];
  BARRIER
  PHASE {
    float sum = 0.0f;
    for (int i = thread; i < count; i += THREADS) {
      index at = first + i;
      float own = p[at], centred = ds[at] - mean;
      float g = gs[at] + gds[at] * centred - t * ds[at];
      ds[at] = own * centred;
      gds[at] = own * (gds[at] - t);
      gs[at] = g;
      sum += own * g;
    }
    sums[thread] = sum;
  }
  ADD_UP(sums)
  PHASE {
    for (int i = thread; i < count; i += THREADS) gs[first + i] = p[first + i] * (gs[first + i] - sums[0]);
  }
}
