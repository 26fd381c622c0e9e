// The optimizer: copies of many gradients, the sums of their squares, and AdamW and the moving average of many parameters.
//
// A table has a row for each tensor: its first block, how many numbers it has, and addresses. Blocks are numbered through.

// The row of a block: the last that begins at or before it. Tensors of nothing have no block.
DEVICE int row_of(const bits *table, int rows, int words, int block) {
  int low = 0, high = rows;
  while (high - low > 1) {
    int middle = low + (high - low) / 2;
    if (table[(index)middle * words] <= (bits)block) {
      low = middle;
    } else {
      high = middle;
    }
  }
  return low;
}

// See `AdamStep`; what is new goes to buffers of its own, since what is old may be shared. Rows: the new parameter, first and second moment
// and average, the old ones, the gradient.
#define UPDATE 11
KERNEL adamw(const bits *table, const double *decays, int tensors, float rate, float beta1, float beta2, float rest1, float rest2,
             float epsilon, float correction1, float correction2, float ema_decay, float ema_rest, float gradient_scale) {
  int own = row_of(table, tensors, UPDATE, BLOCK);
  const bits *row = table + (index)own * UPDATE;
  int block = BLOCK - (int)row[0];
  index count = (index)row[1];
  float *p_to = (float *)row[2], *m_to = (float *)row[3], *v_to = (float *)row[4], *e_to = (float *)row[5];
  const float *p = (const float *)row[6], *m = (const float *)row[7], *v = (const float *)row[8], *e = (const float *)row[9];
  const float *gradient = (const float *)row[10];
  float decay = (float)decays[own];
  PHASE {
    ELEMENTS(block, count) {
      float g = gradient[i] * gradient_scale;
      float first = beta1 * m[i] + rest1 * g, second = beta2 * v[i] + rest2 * g * g;
      float direction = first * correction1 / (sqrtf(second * correction2) + epsilon) + decay * p[i];
      float parameter = p[i] - rate * direction;
      m_to[i] = first;
      v_to[i] = second;
      p_to[i] = parameter;
      e_to[i] = ema_decay * e[i] + ema_rest * parameter;
    }
  }
}

// The numbers of which a block adds up the squares.
#define STRETCH 16384

// part[block] = the sum of the squares of a stretch of a tensor.
#define SQUARES 3
KERNEL squares(double *part, const bits *table, int tensors) {
  SHARED double sums[THREADS];
  const bits *row = table + (index)row_of(table, tensors, SQUARES, BLOCK) * SQUARES;
  index first = (index)(BLOCK - (int)row[0]) * STRETCH, count = (index)row[1];
  index end = first + STRETCH < count ? first + STRETCH : count;
  const float *x = (const float *)row[2];
  PHASE {
    double sum = 0.0;
    for (index i = first + thread; i < end; i += THREADS) sum += (double)x[i] * (double)x[i];
    sums[thread] = sum;
  }
  ADD_UP(sums)
  PHASE {
    if (thread == 0) part[BLOCK] = sums[0];
  }
}

// Copies of many tensors. Rows: where to, and where from.
#define COPY 4
KERNEL copies(const bits *table, int tensors) {
  const bits *row = table + (index)row_of(table, tensors, COPY, BLOCK) * COPY;
  int block = BLOCK - (int)row[0];
  index count = (index)row[1];
  float *to = (float *)row[2];
  const float *from = (const float *)row[3];
  PHASE {
    ELEMENTS(block, count) to[i] = from[i];
  }
}
